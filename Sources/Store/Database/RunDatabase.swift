internal import Glibc
internal import RunModel
internal import System

/// The database of runs, idempotency keys and blobs, used by one thread at a time.
final class RunDatabase {
    private let connection: SQLiteConnection
    private let outputPath: String
    private let retention: Retention
    private let keys: IdempotencyTable
    let blobs: BlobTable
    private let insert: SQLiteStatement
    private let update: SQLiteStatement
    private let updateInterleaving: SQLiteStatement
    private let insertLabel: SQLiteStatement
    private let updateTotal: SQLiteStatement
    private let select: SQLiteStatement
    private let selectExited: SQLiteStatement
    private let selectSize: SQLiteStatement
    private let selectRequest: SQLiteStatement
    private let deleteRun: SQLiteStatement
    private let deleteLabels: SQLiteStatement
    private let selectOldest: SQLiteStatement
    private var pageStatements: [String: SQLiteStatement] = [:]
    /// The virtual machine instructions of the last page, for tests: they do not grow with the number of runs.
    private(set) var stepsOfLastPage = 0
    /// The number of finished runs in the database, and the bytes of their records, output and artifacts.
    private(set) var total: (runs: Int64, bytes: Int64)

    /// The columns that ``row(_:)`` reads.
    private static let columns = "run.id, principal, record, output_order"
    /// The maximum number of runs that one ``prune(_:)`` deletes, so that other work on the thread does not wait long.
    private static let pruneBatch = 64

    /// Opens the database file, creates it if it does not exist, and upgrades it to the current schema.
    ///
    /// - Parameters:
    ///   - path: the database file.
    ///   - outputPath: the directory of output files.
    ///   - durability: the failures that a commit survives.
    ///   - retention: the limits for finished runs.
    /// - Throws: a ``StoreError`` if the file cannot be opened or used.
    init(path: String, outputPath: String, durability: Durability, retention: Retention) throws(StoreError) {
        connection = try SQLiteConnection(path: path)
        self.outputPath = outputPath
        self.retention = retention
        // Only the process that holds the lock of the data directory opens the file: shared memory is not needed.
        try connection.execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY")
        try RunSchema.migrate(connection)
        try connection.execute(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA journal_size_limit = 67108864;
            PRAGMA synchronous = \(durability == .full ? "FULL" : "NORMAL")
            """
        )
        keys = try IdempotencyTable(connection)
        blobs = try BlobTable(connection)
        insert = try connection.prepare(
            """
            INSERT INTO run (id, principal, state, outcome, finished, bytes, record, request, digest, command)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6 + length(?8), ?7, ?8, ?9, ?10)
            ON CONFLICT (id) DO UPDATE SET state = ?3, outcome = ?4, finished = ?5, bytes = ?6 + length(?8), record = ?7
            """
        )
        update = try connection.prepare(
            """
            UPDATE run SET state = ?2, outcome = ?3, finished = ?4, bytes = ?5 + ifnull(length(request), 0), record = ?6
            WHERE id = ?1 AND state < 2
            """
        )
        updateInterleaving = try connection.prepare("UPDATE run SET output_order = ?2 WHERE id = ?1")
        insertLabel = try connection.prepare("INSERT OR IGNORE INTO label VALUES (?1, ?2, ?3)")
        updateTotal = try connection.prepare("UPDATE total SET runs = ?1, bytes = ?2")
        select = try connection.prepare("SELECT \(Self.columns) FROM run WHERE id = ?1")
        // The index of digests also provides the order.
        selectExited = try connection.prepare(
            """
            SELECT \(Self.columns) FROM run WHERE digest = ?1 AND outcome = 'exited' AND +principal = ?2
            ORDER BY sequence DESC LIMIT 1
            """
        )
        selectSize = try connection.prepare("SELECT state, bytes FROM run WHERE id = ?1")
        selectRequest = try connection.prepare("SELECT \(Self.columns), request FROM run WHERE id = ?1")
        deleteRun = try connection.prepare("DELETE FROM run WHERE id = ?1")
        deleteLabels = try connection.prepare("DELETE FROM label WHERE id = ?1")
        selectOldest = try connection.prepare(
            "SELECT id, bytes, finished FROM run WHERE state = 2 ORDER BY sequence LIMIT \(Self.pruneBatch)"
        )
        total = (try connection.number("SELECT runs FROM total"), try connection.number("SELECT bytes FROM total"))
    }

    /// Moves the write-ahead log into the database file.
    func close() {
        try? connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    // MARK: Writing

    /// Writes changes in one transaction.
    func write(_ changes: [RunChange]) throws(StoreError) {
        var total = total
        try connection.transaction { () throws(StoreError) in
            for change in changes { try write(change, &total) }
            if total != self.total { try updateTotal.run([.integer(total.runs), .integer(total.bytes)]) }
        }
        self.total = total
    }

    private func write(_ change: RunChange, _ total: inout (runs: Int64, bytes: Int64)) throws(StoreError) {
        let run = change.run
        let record = run.record
        var bytes = Int64(record.count + Self.fileBytes(run))
        let isFinished = run.state == .finished
        let state: [SQLiteValue] = [
            .integer(run.state.column),
            run.result.map { .text($0.outcome.name) } ?? .null,
            .optional(run.result?.finishedAt.millisecondsSince1970),
            .integer(bytes),
            .bytes(record),
        ]
        let id = SQLiteValue.bytes(run.id.bytes)
        if let request = change.request {
            // Most runs have neither input nor variables, and their record tells the whole request.
            let full = request == run.specification ? [] : request.record
            bytes += Int64(full.count)
            try insert.run(
                [id, .text(change.principal)] + state
                    + [.bytes(full), .bytes(request.digest.bytes), .text(RunFilter.searchText(of: request.command))]
            )
        } else {
            try update.run([id] + state)
            // No row changes if the run is already finished, or if its insertion failed and the run was discarded.
            guard connection.changes > 0 else { return }
            if isFinished { bytes = try size(of: run.id)?.bytes ?? bytes }
        }
        if !change.interleaving.pieces.isEmpty { try updateInterleaving.run([id, .bytes(change.interleaving.bytes)]) }
        if isFinished {
            total.runs += 1
            total.bytes += bytes
        }
        guard change.isNew else { return }
        for (key, value) in run.specification.labels {
            try insertLabel.run([.text(key), .text(value), id])
        }
        if let key = change.key { try keys.write(key, of: change.principal) }
    }

    /// Writes the idempotency key of a run that already exists.
    func write(_ key: IdempotencyRecord, of principal: String) throws(StoreError) { try keys.write(key, of: principal) }

    /// Tests whether the database is writable: commits the totals unchanged.
    func tryWriting() throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            try updateTotal.run([.integer(total.runs), .integer(total.bytes)])
        }
    }

    /// Returns the state of a run and the bytes that count for the retention limits; `nil` without such a run.
    private func size(of id: RunID) throws(StoreError) -> (state: Int64, bytes: Int64)? {
        defer { selectSize.reset() }
        try selectSize.bind([.bytes(id.bytes)])
        return try selectSize.next() ? (selectSize.integer(0), selectSize.integer(1)) : nil
    }

    private static func fileBytes(_ run: Run) -> Int {
        let artifacts = run.result?.artifacts.kept.reduce(0) { $0 + $1.bytes } ?? 0
        return [run.standardOutput, run.standardError].reduce(artifacts) { sum, output in
            if case .file(_, let count) = output.content { sum + count } else { sum }
        }
    }

    // MARK: Deletion

    /// Deletes a finished run and its output files.
    ///
    /// - Returns: whether there was such a run.
    func delete(_ id: RunID) throws(StoreError) -> Bool {
        guard let size = try size(of: id), size.state == RunState.finished.column else { return false }
        var total = total
        try connection.transaction { () throws(StoreError) in
            try delete(id, size.bytes, &total)
            try updateTotal.run([.integer(total.runs), .integer(total.bytes)])
        }
        self.total = total
        removeFiles(of: id)
        return true
    }

    /// Deletes a batch of the oldest finished runs that exceed the retention limits.
    ///
    /// - Parameter now: the time of day.
    /// - Returns: the deleted runs; unless this is empty, more may exceed the limits.
    /// - Throws: the error of the database.
    func prune(_ now: Timestamp) throws(StoreError) -> [RunID] {
        guard total.runs > 0, exceedsRetention(total) || retention.seconds != nil else { return [] }
        var candidates: [(id: RunID, bytes: Int64, finished: Int64)] = []
        defer { selectOldest.reset() }
        while try selectOldest.next() {
            guard let id = RunID(bytes: selectOldest.bytes(0)) else { continue }
            candidates.append((id, selectOldest.integer(1), selectOldest.integer(2)))
        }
        selectOldest.reset()
        var total = total
        var pruned: [RunID] = []
        let cutoff = retention.seconds.map { now.millisecondsSince1970 - Int64($0) * 1000 } ?? .min
        for candidate in candidates where exceedsRetention(total) || candidate.finished < cutoff {
            pruned.append(candidate.id)
            total.runs -= 1
            total.bytes -= candidate.bytes
        }
        guard !pruned.isEmpty else { return [] }
        total = self.total
        try connection.transaction { () throws(StoreError) in
            for candidate in candidates where pruned.contains(candidate.id) {
                try delete(candidate.id, candidate.bytes, &total)
            }
            try updateTotal.run([.integer(total.runs), .integer(total.bytes)])
        }
        self.total = total
        try connection.execute("PRAGMA incremental_vacuum(256)")
        for id in pruned { removeFiles(of: id) }
        return pruned
    }

    /// Deletes a batch of expired idempotency keys.
    ///
    /// - Returns: whether more expired keys may be left.
    func pruneKeys(_ now: Timestamp) throws(StoreError) -> Bool { try keys.prune(now) }

    private func exceedsRetention(_ total: (runs: Int64, bytes: Int64)) -> Bool {
        // The newest run always stays, because its client is about to read it.
        total.runs > 1 && (total.runs > retention.runs || total.bytes > retention.bytes)
    }

    private func delete(_ id: RunID, _ bytes: Int64, _ total: inout (runs: Int64, bytes: Int64)) throws(StoreError) {
        try deleteRun.run([.bytes(id.bytes)])
        try deleteLabels.run([.bytes(id.bytes)])
        try blobs.release(id)
        total.runs -= 1
        total.bytes -= bytes
    }

    private func removeFiles(of id: RunID) {
        for stream in OutputStream.allCases { unlink(path(id, stream)) }
    }

    // MARK: Reading

    /// Returns a run, or `nil` if the database does not contain it.
    func run(_ id: RunID) throws(StoreError) -> StoredRun? {
        defer { select.reset() }
        try select.bind([.bytes(id.bytes)])
        return try select.next() ? try row(select) : nil
    }

    /// Returns the complete request of a run; `nil` if it was not stored, as in versions that deleted it at the end of
    /// the run.
    func request(_ id: RunID) throws(StoreError) -> RunSpecification? {
        defer { selectRequest.reset() }
        try selectRequest.bind([.bytes(id.bytes)])
        return try selectRequest.next() ? request(selectRequest, of: try row(selectRequest).run) : nil
    }

    /// Reads the column after those of ``row(_:)``.
    private func request(_ statement: SQLiteStatement, of run: Run) -> RunSpecification? {
        if statement.isNull(4) { return nil }
        let bytes = statement.bytes(4)
        if bytes.isEmpty { return run.specification }
        var request = try? RunSpecification(record: bytes)
        request?.recordedFiles = run.specification.recordedFiles
        return request
    }

    /// Returns the record of an idempotency key, even if the key has expired.
    func findKey(_ key: String, of principal: String) throws(StoreError) -> IdempotencyRecord? {
        try keys.find(key, of: principal)
    }

    /// Returns a principal's newest run with this specification digest whose outcome is `exited`.
    func findExited(_ digest: SHA256Digest, of principal: String) throws(StoreError) -> StoredRun? {
        defer { selectExited.reset() }
        try selectExited.bind([.bytes(digest.bytes), .text(principal)])
        return try selectExited.next() ? try row(selectExited) : nil
    }

    /// Returns the newest runs that pass a filter, at most `limit`.
    func page(_ filter: RunFilter, limit: Int) throws(StoreError) -> [StoredRun] {
        let (sql, values) = filter.query(Self.columns)
        let statement = try pageStatement(sql)
        defer { statement.reset() }
        try statement.bind(values + [.integer(Int64(limit))])
        var runs: [StoredRun] = []
        while try statement.next() { runs.append(try row(statement)) }
        stepsOfLastPage = statement.takeSteps()
        return runs
    }

    private func pageStatement(_ sql: String) throws(StoreError) -> SQLiteStatement {
        if let statement = pageStatements[sql] { return statement }
        let statement = try connection.prepare(sql)
        pageStatements[sql] = statement
        return statement
    }

    /// Returns the unfinished runs, oldest first, with their full specifications.
    func unfinished() throws(StoreError) -> [(run: StoredRun, request: RunSpecification?)] {
        let statement = try connection.prepare(
            "SELECT \(Self.columns), request FROM run INDEXED BY run_unfinished WHERE state < 2 ORDER BY id"
        )
        defer { statement.reset() }
        var runs: [(run: StoredRun, request: RunSpecification?)] = []
        while try statement.next() {
            let run = try row(statement)
            runs.append((run, request(statement, of: run.run)))
        }
        return runs
    }

    /// Returns the id of the newest run.
    func newest() throws(StoreError) -> RunID? {
        let statement = try connection.prepare("SELECT max(id) FROM run")
        defer { statement.reset() }
        return try statement.next() ? RunID(bytes: statement.bytes(0)) : nil
    }

    private func row(_ statement: SQLiteStatement) throws(StoreError) -> StoredRun {
        guard let id = RunID(bytes: statement.bytes(0)),
            var run = try? Run(id, record: statement.bytes(2), path: { path(id, $0) })
        else {
            throw StoreError(
                operation: "read",
                path: connection.path,
                number: EUCLEAN,
                detail:
                    "a run's record is damaged or from a newer version; restore a backup or use that version"
            )
        }
        let interleaving = StreamInterleaving(bytes: statement.bytes(3))
        run.principal = statement.text(1)
        return StoredRun(run: run, principal: run.principal, interleaving: interleaving)
    }

    private func path(_ id: RunID, _ stream: OutputStream) -> String { "\(outputPath)/\(id).\(stream.rawValue)" }
}
