internal import RunModel
internal import System

/// The tables of blobs: the size and last use of each, the principals that own it, and the runs that hold it.
final class BlobTable {
    private let connection: SQLiteConnection
    private let insertBlob: SQLiteStatement
    private let updateUse: SQLiteStatement
    private let insertOwner: SQLiteStatement
    private let insertHolder: SQLiteStatement
    private let deleteHolder: SQLiteStatement
    private let deleteHold: SQLiteStatement
    private let deleteBlob: SQLiteStatement
    private let deleteOwners: SQLiteStatement

    init(_ connection: SQLiteConnection) throws(StoreError) {
        self.connection = connection
        insertBlob = try connection.prepare(
            "INSERT INTO blob VALUES (?1, ?2, ?3) ON CONFLICT (digest) DO UPDATE SET used = ?3"
        )
        updateUse = try connection.prepare("UPDATE blob SET used = ?2 WHERE digest = ?1")
        insertOwner = try connection.prepare("INSERT OR IGNORE INTO blob_owner VALUES (?1, ?2)")
        insertHolder = try connection.prepare("INSERT OR IGNORE INTO blob_use VALUES (?1, ?2, ?3)")
        deleteHolder = try connection.prepare("DELETE FROM blob_use WHERE run = ?1")
        deleteHold = try connection.prepare("DELETE FROM blob_use WHERE run = ?1 AND digest = ?2")
        deleteBlob = try connection.prepare("DELETE FROM blob WHERE digest = ?1")
        deleteOwners = try connection.prepare("DELETE FROM blob_owner WHERE digest = ?1")
    }

    /// Inserts a blob, if it is new, and adds an owner.
    func insert(_ digest: SHA256Digest, bytes: Int, used: Int64, owner: String) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            try insertBlob.run([.bytes(digest.bytes), .integer(Int64(bytes)), .integer(used)])
            try insertOwner.run([.bytes(digest.bytes), .text(owner)])
        }
    }

    /// Inserts a blob, if it is new, and adds a run that holds it.
    func insert(
        _ digest: SHA256Digest,
        bytes: Int,
        used: Int64,
        heldBy run: RunID,
        of principal: String
    ) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            try insertBlob.run([.bytes(digest.bytes), .integer(Int64(bytes)), .integer(used)])
            try insertHolder.run([.bytes(run.bytes), .bytes(digest.bytes), .text(principal)])
        }
    }

    /// Updates the last use of a blob, in milliseconds since 1970.
    func use(_ digest: SHA256Digest, at time: Int64) throws(StoreError) {
        try updateUse.run([.bytes(digest.bytes), .integer(time)])
    }

    /// Adds a run that holds blobs.
    func hold(_ digests: [SHA256Digest], by run: RunID, of principal: String) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            for digest in digests { try insertHolder.run([.bytes(run.bytes), .bytes(digest.bytes), .text(principal)]) }
        }
    }

    /// Releases every blob that a run holds.
    func release(_ run: RunID) throws(StoreError) { try deleteHolder.run([.bytes(run.bytes)]) }

    /// Releases some of the blobs that a run holds.
    func release(_ digests: [SHA256Digest], of run: RunID) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            for digest in digests { try deleteHold.run([.bytes(run.bytes), .bytes(digest.bytes)]) }
        }
    }

    /// Deletes blobs and their owners.
    func delete(_ digests: [SHA256Digest]) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            for digest in digests {
                try deleteBlob.run([.bytes(digest.bytes)])
                try deleteOwners.run([.bytes(digest.bytes)])
            }
        }
    }

    /// Returns all blobs.
    ///
    /// The function first deletes the holds of runs that are not in the database. The service ended before it wrote
    /// these runs.
    func all() throws(StoreError) -> [SHA256Digest: BlobEntry] {
        try connection.execute("DELETE FROM blob_use WHERE run NOT IN (SELECT id FROM run)")
        var entries: [SHA256Digest: BlobEntry] = [:]
        let blobs = try connection.prepare("SELECT digest, bytes, used FROM blob")
        defer { blobs.reset() }
        while try blobs.next() {
            guard let digest = SHA256Digest(bytes: blobs.bytes(0)) else { continue }
            let (bytes, used) = (blobs.integer(1), blobs.integer(2))
            entries[digest] = BlobEntry(bytes: Int(bytes), lastUse: used, savedUse: used, owners: [])
        }
        let owners = try connection.prepare("SELECT digest, principal FROM blob_owner")
        defer { owners.reset() }
        while try owners.next() {
            guard let digest = SHA256Digest(bytes: owners.bytes(0)) else { continue }
            entries[digest]?.owners.insert(owners.text(1))
        }
        let holders = try connection.prepare("SELECT digest, run, principal FROM blob_use")
        defer { holders.reset() }
        while try holders.next() {
            guard let digest = SHA256Digest(bytes: holders.bytes(0)), let run = RunID(bytes: holders.bytes(1)) else {
                continue
            }
            entries[digest]?.holders[run] = holders.text(2)
        }
        return entries
    }
}
