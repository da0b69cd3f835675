package import RunModel
package import System

/// A client's key for a request: a repeated request with the same key and body has no further effect.
///
/// Source: draft-ietf-httpapi-idempotency-key-header.
package struct IdempotencyKey: Sendable, Hashable {
    /// The value of the client's `Idempotency-Key` header field.
    package let text: String
    /// The SHA-256 of the request body, byte by byte.
    package let body: SHA256Digest

    /// Creates a key with the digest of the request body that it came with.
    package init(_ text: String, body: SHA256Digest) {
        self.text = text
        self.body = body
    }
}

/// The run that was returned for the first request with an idempotency key, and is returned for every repetition.
package struct IdempotencyRecord: Sendable, Hashable {
    /// The lifetime of a key in milliseconds: one day.
    package static let lifetimeMilliseconds: Int64 = 24 * 3600 * 1000

    /// The key, with the body of the first request.
    package let key: IdempotencyKey
    /// The run that was returned.
    package let run: RunID
    /// The time of the first request.
    package let since: Timestamp
    /// True if the run already existed at the first request (`cache: true`).
    package let isCached: Bool

    /// Creates a record.
    package init(_ key: IdempotencyKey, for run: RunID, since: Timestamp, isCached: Bool = false) {
        self.key = key
        self.run = run
        self.since = since
        self.isCached = isCached
    }

    /// Returns whether the key has not expired.
    ///
    /// A key lives longer if the clock is set back.
    package func isValid(at now: Timestamp) -> Bool {
        now.millisecondsSince1970 - since.millisecondsSince1970 < Self.lifetimeMilliseconds
    }
}

/// The table of idempotency keys, from which expired keys are removed.
final class IdempotencyTable {
    /// The maximum number of keys that one ``prune(_:)`` removes, so that other work on the thread does not wait long.
    private static let pruneBatch = 256

    private let connection: SQLiteConnection
    private let insert: SQLiteStatement
    private let select: SQLiteStatement
    private let deleteOlder: SQLiteStatement
    private let selectOldest: SQLiteStatement
    /// A lower bound of the creation times in milliseconds since 1970, or `nil` if the table is empty.
    private var oldest: Int64?

    init(_ connection: SQLiteConnection) throws(StoreError) {
        self.connection = connection
        insert = try connection.prepare("INSERT OR REPLACE INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        select = try connection.prepare(
            "SELECT digest, run, created, cached FROM idempotency WHERE principal = ?1 AND key = ?2"
        )
        deleteOlder = try connection.prepare(
            """
            DELETE FROM idempotency WHERE (principal, key) IN
                (SELECT principal, key FROM idempotency WHERE created < ?1 ORDER BY created LIMIT \(Self.pruneBatch))
            """
        )
        selectOldest = try connection.prepare("SELECT min(created) FROM idempotency")
        oldest = try readOldest()
    }

    private func readOldest() throws(StoreError) -> Int64? {
        defer { selectOldest.reset() }
        return try selectOldest.next() && !selectOldest.isNull(0) ? selectOldest.integer(0) : nil
    }

    /// Inserts a record, and replaces an expired record with the same key.
    func write(_ record: IdempotencyRecord, of principal: String) throws(StoreError) {
        let created = record.since.millisecondsSince1970
        try insert.run([
            .text(principal), .text(record.key.text), .bytes(record.key.body.bytes), .bytes(record.run.bytes),
            .integer(created), .integer(record.isCached ? 1 : 0),
        ])
        oldest = min(oldest ?? created, created)
    }

    /// Returns the record of a key, even if the key has expired.
    func find(_ key: String, of principal: String) throws(StoreError) -> IdempotencyRecord? {
        defer { select.reset() }
        try select.bind([.text(principal), .text(key)])
        guard try select.next(), let body = SHA256Digest(bytes: select.bytes(0)),
            let run = RunID(bytes: select.bytes(1))
        else { return nil }
        return IdempotencyRecord(
            IdempotencyKey(key, body: body),
            for: run,
            since: Timestamp(millisecondsSince1970: select.integer(2)),
            isCached: select.integer(3) != 0
        )
    }

    /// Deletes a batch of expired keys.
    ///
    /// - Parameter now: the time of day.
    /// - Returns: whether more expired keys may be left.
    /// - Throws: the error of the database.
    func prune(_ now: Timestamp) throws(StoreError) -> Bool {
        let cutoff = now.millisecondsSince1970 - IdempotencyRecord.lifetimeMilliseconds
        guard let oldest, oldest <= cutoff else { return false }
        // A key that is exactly one day old has expired.
        try deleteOlder.run([.integer(cutoff + 1)])
        let count = connection.changes
        self.oldest = try readOldest()
        try connection.execute("PRAGMA incremental_vacuum(64)")
        return count == Self.pruneBatch
    }
}
