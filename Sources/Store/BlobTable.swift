internal import Digests
internal import Runs

/// The blobs in the database: how long each is, when it was used, whose it is, and which runs hold it.
final class BlobTable {
    private let connection: SQLiteConnection
    private let insert: SQLiteStatement
    private let use: SQLiteStatement
    private let own: SQLiteStatement
    private let hold: SQLiteStatement
    private let release: SQLiteStatement
    private let releaseOne: SQLiteStatement
    private let remove: SQLiteStatement
    private let removeOwners: SQLiteStatement

    init(_ connection: SQLiteConnection) throws(StoreError) {
        self.connection = connection
        insert = try connection.prepare(
            "INSERT INTO blob VALUES (?1, ?2, ?3) ON CONFLICT (digest) DO UPDATE SET used = ?3"
        )
        use = try connection.prepare("UPDATE blob SET used = ?2 WHERE digest = ?1")
        own = try connection.prepare("INSERT OR IGNORE INTO blob_owner VALUES (?1, ?2)")
        hold = try connection.prepare("INSERT OR IGNORE INTO blob_use VALUES (?1, ?2, ?3)")
        release = try connection.prepare("DELETE FROM blob_use WHERE run = ?1")
        releaseOne = try connection.prepare("DELETE FROM blob_use WHERE run = ?1 AND digest = ?2")
        remove = try connection.prepare("DELETE FROM blob WHERE digest = ?1")
        removeOwners = try connection.prepare("DELETE FROM blob_owner WHERE digest = ?1")
    }

    /// Remembers a blob, and whose it is.
    func insert(_ digest: SHA256Digest, bytes: Int, used: Int64, owner: String) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            try insert.run([.bytes(digest.bytes), .integer(Int64(bytes)), .integer(used)])
            try own.run([.bytes(digest.bytes), .text(owner)])
        }
    }

    /// Remembers a blob, and that a run holds it.
    func keep(
        _ digest: SHA256Digest,
        bytes: Int,
        used: Int64,
        by run: RunID,
        of principal: String
    ) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            try insert.run([.bytes(digest.bytes), .integer(Int64(bytes)), .integer(used)])
            try hold.run([.bytes(run.bytes), .bytes(digest.bytes), .text(principal)])
        }
    }

    /// Remembers when a blob was used.
    func use(_ digest: SHA256Digest, at time: Int64) throws(StoreError) {
        try use.run([.bytes(digest.bytes), .integer(time)])
    }

    /// Remembers that a run holds blobs.
    func hold(_ digests: [SHA256Digest], by run: RunID, of principal: String) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            for digest in digests { try hold.run([.bytes(run.bytes), .bytes(digest.bytes), .text(principal)]) }
        }
    }

    /// A run holds no blob any more.
    func release(_ run: RunID) throws(StoreError) { try release.run([.bytes(run.bytes)]) }

    /// A run holds some blobs no more.
    func release(_ digests: [SHA256Digest], of run: RunID) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            for digest in digests { try releaseOne.run([.bytes(run.bytes), .bytes(digest.bytes)]) }
        }
    }

    /// Forgets blobs.
    func remove(_ digests: [SHA256Digest]) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            for digest in digests {
                try remove.run([.bytes(digest.bytes)])
                try removeOwners.run([.bytes(digest.bytes)])
            }
        }
    }

    /// All of them.
    ///
    /// Runs that are not remembered, because the service ended before they were, hold nothing.
    func all() throws(StoreError) -> [SHA256Digest: BlobEntry] {
        try connection.execute("DELETE FROM blob_use WHERE run NOT IN (SELECT id FROM run)")
        var entries: [SHA256Digest: BlobEntry] = [:]
        let blobs = try connection.prepare("SELECT digest, bytes, used FROM blob")
        defer { blobs.reset() }
        while try blobs.next() {
            guard let digest = SHA256Digest(bytes: blobs.bytes(0)) else { continue }
            let (bytes, used) = (blobs.integer(1), blobs.integer(2))
            entries[digest] = BlobEntry(bytes: Int(bytes), used: used, savedUse: used, owners: [])
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
