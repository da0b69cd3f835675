internal import Digests
internal import Glibc
internal import Runs

/// The runs in their file.
///
/// Of one thread.
final class RunDatabase {
    private let connection: SQLiteConnection
    private let outputPath: String
    private let retention: Retention
    private let keys: KeyTable
    let blobs: BlobTable
    private let insert: SQLiteStatement
    private let update: SQLiteStatement
    private let order: SQLiteStatement
    private let label: SQLiteStatement
    private let count: SQLiteStatement
    private let select: SQLiteStatement
    private let same: SQLiteStatement
    private let remove: SQLiteStatement
    private let removeLabels: SQLiteStatement
    private let oldest: SQLiteStatement
    private var pages: [String: SQLiteStatement] = [:]
    /// What the last page has cost, for tests: it does not grow with the number of runs.
    private(set) var stepsOfLastPage = 0
    /// How many finished runs are remembered, and what they take.
    private(set) var total: (runs: Int64, bytes: Int64)

    private static let columns = "id, principal, record, output_order"
    /// So many runs are forgotten at once, so that nobody waits long for it.
    private static let pruned = 64

    /// Opens the file, makes it if need be, and brings it to this version.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - outputPath: the folder for output that has files of its own.
    ///   - durability: what a commit survives.
    ///   - retention: how much is kept.
    /// - Throws: why it cannot be opened.
    init(path: String, outputPath: String, durability: Durability, retention: Retention) throws(StoreError) {
        connection = try SQLiteConnection(path: path)
        self.outputPath = outputPath
        self.retention = retention
        // The one process that has the lock on the folder: no other needs to be told of anything.
        try connection.execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY")
        try RunSchema.prepare(connection)
        try connection.execute(
            """
            PRAGMA journal_mode = WAL;
            PRAGMA journal_size_limit = 67108864;
            PRAGMA synchronous = \(durability == .full ? "FULL" : "NORMAL")
            """
        )
        keys = try KeyTable(connection)
        blobs = try BlobTable(connection)
        insert = try connection.prepare(
            """
            INSERT INTO run (id, principal, state, outcome, finished, bytes, record, request, digest)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT (id) DO UPDATE SET state = ?3, outcome = ?4, finished = ?5, bytes = ?6, record = ?7,
                request = CASE ?3 WHEN 2 THEN NULL ELSE request END
            """
        )
        update = try connection.prepare(
            """
            UPDATE run SET state = ?2, outcome = ?3, finished = ?4, bytes = ?5, record = ?6,
                request = CASE ?2 WHEN 2 THEN NULL ELSE request END
            WHERE id = ?1 AND state < 2
            """
        )
        order = try connection.prepare("UPDATE run SET output_order = ?2 WHERE id = ?1")
        label = try connection.prepare("INSERT OR IGNORE INTO label VALUES (?1, ?2, ?3)")
        count = try connection.prepare("UPDATE total SET runs = ?1, bytes = ?2")
        select = try connection.prepare("SELECT \(Self.columns) FROM run WHERE id = ?1")
        // The index of digests also has the order.
        same = try connection.prepare(
            """
            SELECT \(Self.columns) FROM run WHERE digest = ?1 AND outcome = 'exited' AND +principal = ?2
            ORDER BY sequence DESC LIMIT 1
            """
        )
        remove = try connection.prepare("DELETE FROM run WHERE id = ?1")
        removeLabels = try connection.prepare("DELETE FROM label WHERE id = ?1")
        oldest = try connection.prepare(
            "SELECT id, bytes, finished FROM run WHERE state = 2 ORDER BY sequence LIMIT \(Self.pruned)"
        )
        total = (try connection.number("SELECT runs FROM total"), try connection.number("SELECT bytes FROM total"))
    }

    // MARK: Writing

    /// Writes all of it or nothing.
    func write(_ changes: [RunChange]) throws(StoreError) {
        var total = total
        try connection.transaction { () throws(StoreError) in
            for change in changes { try write(change, &total) }
            if total != self.total { try count.run([.integer(total.runs), .integer(total.bytes)]) }
        }
        self.total = total
    }

    private func write(_ change: RunChange, _ total: inout (runs: Int64, bytes: Int64)) throws(StoreError) {
        let run = change.run
        let record = run.record
        let bytes = Int64(record.count + Self.fileBytes(run))
        let isFinished = run.state == .finished
        let state: [SQLiteValue] = [
            .integer(Self.number(of: run.state)),
            run.result.map { .text($0.outcome.name) } ?? .null,
            .optional(run.result?.finishedAt.millisecondsSince1970),
            .integer(bytes),
            .bytes(record),
        ]
        let id = SQLiteValue.bytes(run.id.bytes)
        if let request = change.request {
            try insert.run(
                [id, .text(change.principal)] + state
                    + [isFinished ? .null : .bytes(request.record), .bytes(request.digest.bytes)]
            )
        } else {
            try update.run([id] + state)
            // It is finished already, and nothing changes that; or its insertion was refused, and so is all that came of it.
            guard connection.changes > 0 else { return }
        }
        if !change.order.pieces.isEmpty { try order.run([id, .bytes(change.order.bytes)]) }
        if isFinished {
            total.runs += 1
            total.bytes += bytes
        }
        guard change.isNew else { return }
        for (key, value) in run.specification.labels {
            try label.run([.text(key), .text(value), id])
        }
        if let key = change.key { try keys.write(key, of: change.principal) }
    }

    /// Has a key stand for a run that is there already.
    func write(_ use: KeyUse, of principal: String) throws(StoreError) { try keys.write(use, of: principal) }

    /// Finds out whether it can be written to: commits what is there already.
    func tryWriting() throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            try count.run([.integer(total.runs), .integer(total.bytes)])
        }
    }

    private static func fileBytes(_ run: Run) -> Int {
        let artifacts = run.result?.artifacts.kept.reduce(0) { $0 + $1.bytes } ?? 0
        return [run.standardOutput, run.standardError].reduce(artifacts) { sum, output in
            if case .file(_, let count) = output.content { sum + count } else { sum }
        }
    }

    private static func number(of state: RunState) -> Int64 {
        switch state {
        case .queued: 0
        case .running: 1
        case .finished: 2
        }
    }

    /// Forgets a finished run, and its files.
    ///
    /// - Returns: whether there was one.
    func forget(_ id: RunID) throws(StoreError) -> Bool {
        guard let run = try run(id)?.run, run.state == .finished else { return false }
        var total = total
        try connection.transaction { () throws(StoreError) in
            try forget(id, Int64(run.record.count + Self.fileBytes(run)), &total)
            try count.run([.integer(total.runs), .integer(total.bytes)])
        }
        self.total = total
        removeFiles(of: id)
        return true
    }

    /// Forgets the oldest finished runs while there is too much.
    ///
    /// - Parameter now: the time of day.
    /// - Returns: those that were forgotten, not too many at once; there may be more.
    /// - Throws: why they cannot be forgotten.
    func prune(_ now: Timestamp) throws(StoreError) -> [RunID] {
        guard total.runs > 0, isTooMuch(total) || retention.seconds != nil else { return [] }
        var candidates: [(id: RunID, bytes: Int64, finished: Int64)] = []
        defer { oldest.reset() }
        while try oldest.next() {
            guard let id = RunID(bytes: oldest.bytes(0)) else { continue }
            candidates.append((id, oldest.integer(1), oldest.integer(2)))
        }
        oldest.reset()
        var total = total
        var forgotten: [RunID] = []
        let cutoff = retention.seconds.map { now.millisecondsSince1970 - Int64($0) * 1000 } ?? .min
        for candidate in candidates where isTooMuch(total) || candidate.finished < cutoff {
            forgotten.append(candidate.id)
            total.runs -= 1
            total.bytes -= candidate.bytes
        }
        guard !forgotten.isEmpty else { return [] }
        total = self.total
        try connection.transaction { () throws(StoreError) in
            for candidate in candidates where forgotten.contains(candidate.id) {
                try forget(candidate.id, candidate.bytes, &total)
            }
            try count.run([.integer(total.runs), .integer(total.bytes)])
        }
        self.total = total
        try connection.execute("PRAGMA incremental_vacuum(256)")
        for id in forgotten { removeFiles(of: id) }
        return forgotten
    }

    /// Forgets keys that stand for nothing any more.
    ///
    /// - Returns: whether there may be more of them.
    func pruneKeys(_ now: Timestamp) throws(StoreError) -> Bool { try keys.prune(now) }

    private func isTooMuch(_ total: (runs: Int64, bytes: Int64)) -> Bool {
        // The newest one is always kept: somebody is about to ask for it.
        total.runs > 1 && (total.runs > retention.runs || total.bytes > retention.bytes)
    }

    private func forget(_ id: RunID, _ bytes: Int64, _ total: inout (runs: Int64, bytes: Int64)) throws(StoreError) {
        try remove.run([.bytes(id.bytes)])
        try removeLabels.run([.bytes(id.bytes)])
        try blobs.release(id)
        total.runs -= 1
        total.bytes -= bytes
    }

    private func removeFiles(of id: RunID) {
        for stream in OutputStream.allCases { unlink(path(id, stream)) }
    }

    // MARK: Reading

    /// What is remembered of a run.
    func run(_ id: RunID) throws(StoreError) -> StoredRun? {
        defer { select.reset() }
        try select.bind([.bytes(id.bytes)])
        return try select.next() ? try row(select) : nil
    }

    /// What a client's key stands for, or stood for.
    func use(of key: String, by principal: String) throws(StoreError) -> KeyUse? {
        try keys.use(of: key, by: principal)
    }

    /// The newest run of a principal with this digest that exited.
    func exited(_ digest: SHA256Digest, of principal: String) throws(StoreError) -> StoredRun? {
        defer { same.reset() }
        try same.bind([.bytes(digest.bytes), .text(principal)])
        return try same.next() ? try row(same) : nil
    }

    /// The newest runs that a filter lets through.
    ///
    /// Each filter walks an index of its own, so that a page costs the same wherever it is.
    func page(_ filter: RunFilter, limit: Int) throws(StoreError) -> [StoredRun] {
        var conditions: [String] = []
        var values: [SQLiteValue] = []
        func add(_ condition: String, _ value: SQLiteValue...) {
            conditions.append(condition)
            values += value
        }
        var table = "run"
        if let label = filter.label {
            table = "label JOIN run USING (id)"
            add("label.key = ? AND label.value = ?", .text(label.key), .text(label.value))
        }
        switch filter.state {
        case .finished: add("+state = 2")
        case .queued, .running: add("state < 2 AND +state = \(Self.number(of: filter.state ?? .queued))")
        case nil: break
        }
        if let outcome = filter.outcome { add("outcome = ?", .text(outcome)) }
        if let principal = filter.principal {
            // Where another index serves, this one is not to be taken instead.
            let isSecond = filter.outcome != nil || filter.label != nil || [.queued, .running].contains(filter.state)
            add(isSecond ? "+principal = ?" : "principal = ?", .text(principal))
        }
        let order = filter.label == nil ? "run.id" : "label.id"
        if let before = filter.before { add("\(order) < ?", .bytes(before.bytes)) }
        let condition = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let statement = try prepared(
            "SELECT run.id, principal, record, output_order FROM \(table) \(condition) ORDER BY \(order) DESC LIMIT ?"
        )
        defer { statement.reset() }
        try statement.bind(values + [.integer(Int64(limit))])
        var runs: [StoredRun] = []
        while try statement.next() { runs.append(try row(statement)) }
        stepsOfLastPage = statement.takeSteps()
        return runs
    }

    private func prepared(_ sql: String) throws(StoreError) -> SQLiteStatement {
        if let statement = pages[sql] { return statement }
        let statement = try connection.prepare(sql)
        pages[sql] = statement
        return statement
    }

    /// Those that were not finished, the oldest first, with what it takes to run them.
    func unfinished() throws(StoreError) -> [(run: StoredRun, request: RunSpecification?)] {
        let statement = try connection.prepare(
            "SELECT id, principal, record, output_order, request FROM run INDEXED BY run_unfinished WHERE state < 2 ORDER BY id"
        )
        defer { statement.reset() }
        var runs: [(run: StoredRun, request: RunSpecification?)] = []
        while try statement.next() {
            let request: RunSpecification?
            if statement.isNull(4) {
                request = nil
            } else {
                request = try? RunSpecification(record: statement.bytes(4))
            }
            runs.append((try row(statement), request))
        }
        return runs
    }

    /// The name of the newest run.
    func newest() throws(StoreError) -> RunID? {
        let statement = try connection.prepare("SELECT max(id) FROM run")
        defer { statement.reset() }
        return try statement.next() ? RunID(bytes: statement.bytes(0)) : nil
    }

    private func row(_ statement: SQLiteStatement) throws(StoreError) -> StoredRun {
        guard let id = RunID(bytes: statement.bytes(0)),
            let run = try? Run(id, record: statement.bytes(2), path: { path(id, $0) })
        else {
            throw StoreError(
                operation: "read",
                path: connection.path,
                number: EUCLEAN,
                detail: "the record of a run cannot be understood"
            )
        }
        return StoredRun(run: run, principal: statement.text(1), order: OutputOrder(bytes: statement.bytes(3)))
    }

    private func path(_ id: RunID, _ stream: OutputStream) -> String { "\(outputPath)/\(id).\(stream.rawValue)" }

    // MARK: The end

    /// Puts everything into the one file.
    func close() {
        try? connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }
}
