internal import Digests
internal import Runs

/// The keys of the last day, in the database.
final class KeyTable {
    /// So many are forgotten at once, so that nobody waits long for it.
    private static let pruned = 256

    private let connection: SQLiteConnection
    private let insert: SQLiteStatement
    private let select: SQLiteStatement
    private let remove: SQLiteStatement
    private let first: SQLiteStatement
    /// None is older than this; `nil`: there is none.
    private var oldest: Int64?

    init(_ connection: SQLiteConnection) throws(StoreError) {
        self.connection = connection
        insert = try connection.prepare("INSERT OR REPLACE INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        select = try connection.prepare(
            "SELECT digest, run, created, cached FROM idempotency WHERE principal = ?1 AND key = ?2"
        )
        remove = try connection.prepare(
            """
            DELETE FROM idempotency WHERE (principal, key) IN
                (SELECT principal, key FROM idempotency WHERE created < ?1 ORDER BY created LIMIT \(Self.pruned))
            """
        )
        first = try connection.prepare("SELECT min(created) FROM idempotency")
        oldest = try readOldest()
    }

    private func readOldest() throws(StoreError) -> Int64? {
        defer { first.reset() }
        return try first.next() && !first.isNull(0) ? first.integer(0) : nil
    }

    /// Writes a use down, over one that is over.
    func write(_ use: KeyUse, of principal: String) throws(StoreError) {
        let created = use.since.millisecondsSince1970
        try insert.run([
            .text(principal), .text(use.key.text), .bytes(use.key.body.bytes), .bytes(use.run.bytes), .integer(created),
            .integer(use.isCached ? 1 : 0),
        ])
        oldest = min(oldest ?? created, created)
    }

    /// The use of a key, whether or not it is over.
    func use(of key: String, by principal: String) throws(StoreError) -> KeyUse? {
        defer { select.reset() }
        try select.bind([.text(principal), .text(key)])
        guard try select.next(), let body = SHA256Digest(bytes: select.bytes(0)),
            let run = RunID(bytes: select.bytes(1))
        else { return nil }
        return KeyUse(
            IdempotencyKey(key, body: body),
            for: run,
            since: Timestamp(millisecondsSince1970: select.integer(2)),
            isCached: select.integer(3) != 0
        )
    }

    /// Forgets those that are over.
    ///
    /// - Parameter now: the time of day.
    /// - Returns: whether there may be more.
    /// - Throws: why they cannot be forgotten.
    func prune(_ now: Timestamp) throws(StoreError) -> Bool {
        let cutoff = now.millisecondsSince1970 - KeyUse.lifetimeMilliseconds
        guard let oldest, oldest <= cutoff else { return false }
        // One that is just a day old is over.
        try remove.run([.integer(cutoff + 1)])
        let count = connection.changes
        self.oldest = try readOldest()
        try connection.execute("PRAGMA incremental_vacuum(64)")
        return count == Self.pruned
    }
}
