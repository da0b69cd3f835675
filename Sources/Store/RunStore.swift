public import Digests
internal import Glibc
public import Runs

/// Remembers runs, in a database file and in files for large output.
///
/// Its owner calls it from one thread. What takes the disk is done on another, and told by completions that are called there.
public final class RunStore {
    /// The runs that had not begun when the service before this one ended, the oldest first, and what it takes to run them.
    public let queued: [(run: StoredRun, request: RunSpecification)]
    /// How many had begun: their outcome is that they are lost.
    public let lostCount: Int
    /// The name of the newest run that is remembered.
    public let newest: RunID?

    /// Files that are named by their digest.
    public let blobs: BlobStore

    private let directory: DataDirectory
    private let thread: StoreThread
    private let running: RunningTable
    private var cache = RunCache()

    /// Opens the runs of a data directory.
    ///
    /// - Parameters:
    ///   - directory: whose lock is held.
    ///   - durability: what an accepted run survives.
    ///   - retention: how much of what is finished is remembered.
    ///   - blobLimits: how much room blobs may take.
    ///   - metrics: what is counted.
    /// - Throws: why they cannot be read. Nothing was changed then.
    public init(
        _ directory: DataDirectory,
        durability: Durability = .normal,
        retention: Retention = Retention(),
        blobLimits: BlobLimits = BlobLimits(),
        metrics: StoreMetrics = StoreMetrics()
    ) throws(StoreError) {
        self.directory = directory
        // Nobody else's to read, whatever the folder's own mode is.
        let mask = umask(0o077)
        defer { umask(mask) }
        let database = try RunDatabase(
            path: directory.databasePath,
            outputPath: directory.outputPath,
            durability: durability,
            retention: retention
        )
        running = try RunningTable(path: directory.runningPath)
        newest = try database.newest()
        var queued: [(run: StoredRun, request: RunSpecification)] = []
        var lost: [RunChange] = []
        for (stored, request) in try database.unfinished() {
            if let request, stored.run.state == .queued, !running.earlier.contains(stored.run.id) {
                queued.append((stored, request))
            } else {
                lost.append(Self.lost(stored, in: directory))
            }
        }
        if !lost.isEmpty { try database.write(lost) }
        for change in lost { try database.blobs.release(change.run.id) }
        running.clear()
        self.queued = queued
        lostCount = lost.count
        for (run, _) in queued { cache.insert(run) }
        let entries = try database.blobs.all()
        thread = StoreThread(database, running, metrics)
        blobs = BlobStore(BlobFolder(path: directory.blobPath), entries, blobLimits, durability, thread, metrics)
        thread.whenForgotten { [weak blobs] in blobs?.release($0) }
        thread.whenPruning { [weak blobs] in blobs?.collect() }
        OrphanedFiles(in: directory.outputPath, upTo: newest).search(on: thread)
    }

    /// With what it had written so far.
    private static func lost(_ stored: StoredRun, in directory: DataDirectory) -> RunChange {
        func output(_ stream: OutputStream) -> CapturedOutput {
            let path = directory.outputPath(of: stored.run.id, stream)
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .empty }
            return CapturedOutput(
                content: .file(path: path, count: Int(status.st_size)),
                totalBytes: Int(status.st_size)
            )
        }
        var run = stored.run
        run.standardOutput = output(.standardOutput)
        run.standardError = output(.standardError)
        run.finish(Run.Result(outcome: .lost, usage: nil, finishedAt: .now))
        return RunChange(run: run, principal: stored.principal)
    }

    /// Begins to write, on a thread that has the privileges that this one has now.
    public func start() {
        thread.start()
        blobs.start()
    }

    // MARK: Writing

    /// Why nothing can be written at the moment; `nil`: it can.
    public var failure: StoreError? { thread.failure }

    /// Finds out whether a run could be remembered now: commits something, and looks for room.
    ///
    /// - Parameter completion: called on another thread with why not.
    public func tryWriting(_ completion: @escaping @Sendable (StoreError?) -> Void) {
        let path = directory.outputPath
        thread.performAfterwards { database in
            do throws(StoreError) {
                try database.tryWriting()
                try DiskRoom.check(path)
                completion(nil)
            } catch { completion(error) }
        }
    }

    /// Remembers a new run.
    ///
    /// - Parameters:
    ///   - run: the run.
    ///   - request: what it takes to run it.
    ///   - principal: whose it is.
    ///   - key: the key that stands for it from then on; both are remembered, or neither.
    public func insert(_ run: Run, _ request: RunSpecification, of principal: String, key: KeyUse? = nil) {
        cache.insert(StoredRun(run: run, principal: principal))
        thread.save(RunChange(run: run, principal: principal, request: request, key: key))
    }

    /// Has a key stand for a run that is there already.
    ///
    /// - Parameters:
    ///   - use: the key and the run.
    ///   - principal: whose key it is.
    ///   - completion: called on another thread with why it could not be written.
    public func keep(_ use: KeyUse, of principal: String, _ completion: @escaping @Sendable (StoreError?) -> Void) {
        thread.performAfterwards { database in
            do throws(StoreError) {
                try database.write(use, of: principal)
                completion(nil)
            } catch { completion(error) }
        }
    }

    /// Replaces what is known of a run by something newer.
    ///
    /// - Parameters:
    ///   - run: what is known now.
    ///   - order: in which order it has written, of a run that has finished.
    public func update(_ run: Run, order: OutputOrder = OutputOrder()) {
        guard let before = cache[run.id] else { return }
        if before.run.state == .queued, run.state == .running { running.insert(run.id) }
        cache.insert(StoredRun(run: run, principal: before.principal, order: order))
        thread.save(RunChange(run: run, principal: before.principal, order: order))
        if let result = run.result { blobs.releaseInputs(of: run.id, except: result.artifacts) }
    }

    /// Waits until a run is remembered whatever becomes of the service.
    ///
    /// - Parameters:
    ///   - id: a run that was inserted.
    ///   - completion: called on another thread with why it could not be written. It is not remembered then.
    public func confirm(_ id: RunID, _ completion: @escaping @Sendable (StoreError?) -> Void) {
        guard let stored = cache[id] else { return completion(nil) }
        thread.save(RunChange(run: stored.run, principal: stored.principal, completions: [completion]))
    }

    /// Waits until what is known of a run is remembered whatever becomes of the service, as far as the disk takes it.
    ///
    /// - Parameters:
    ///   - id: its name.
    ///   - completion: called on another thread, unless there is nothing to wait for.
    /// - Returns: whether it is remembered already; the completion is not called then.
    public func settle(_ id: RunID, _ completion: @escaping @Sendable () -> Void) -> Bool {
        thread.settle(id, completion)
    }

    /// A run that could not be written has never been.
    public func abandon(_ id: RunID) {
        running.remove(id)
        cache.remove(id)
        blobs.release([id])
    }

    /// Where the output of a run goes.
    public func recorder(for id: RunID, _ stream: OutputStream) -> OutputRecorder {
        OutputRecorder(path: directory.outputPath(of: id, stream))
    }

    // MARK: Reading

    /// What is known of a run that is not finished, or was not long ago.
    public func run(_ id: RunID) -> StoredRun? { cache[id] }

    /// Whether there is such a run of that name, without copying it.
    public func contains(_ id: RunID) -> Bool { cache.contains(id) }

    /// Looks an older run up.
    ///
    /// - Parameters:
    ///   - id: its name.
    ///   - completion: called on another thread with the run, if there is one.
    public func find(_ id: RunID, _ completion: @escaping @Sendable (Result<StoredRun?, StoreError>) -> Void) {
        thread.perform { database in
            completion(Result { () throws(StoreError) in try database.run(id) })
        }
    }

    /// Looks up what a key stands for.
    ///
    /// - Parameters:
    ///   - key: the client's name for it.
    ///   - principal: whose key it is.
    ///   - completion: called on another thread with its last use, which may be over.
    public func findKey(
        _ key: String,
        of principal: String,
        _ completion: @escaping @Sendable (Result<KeyUse?, StoreError>) -> Void
    ) {
        thread.performAfterwards { database in
            completion(Result { () throws(StoreError) in try database.use(of: key, by: principal) })
        }
    }

    /// Looks up a run that exited.
    ///
    /// - Parameters:
    ///   - digest: its specification's.
    ///   - principal: whose it is.
    ///   - completion: called on another thread with the newest such run.
    public func findExited(
        _ digest: SHA256Digest,
        of principal: String,
        _ completion: @escaping @Sendable (Result<StoredRun?, StoreError>) -> Void
    ) {
        thread.performAfterwards { database in
            completion(Result { () throws(StoreError) in try database.exited(digest, of: principal) })
        }
    }

    /// Looks the newest runs up that a filter lets through.
    ///
    /// - Parameters:
    ///   - filter: which runs.
    ///   - limit: how many at most.
    ///   - completion: called on another thread, with what was known when this was called or later.
    public func page(
        _ filter: RunFilter,
        limit: Int,
        _ completion: @escaping @Sendable (Result<[StoredRun], StoreError>) -> Void
    ) {
        thread.performAfterwards { database in
            completion(Result { () throws(StoreError) in try database.page(filter, limit: limit) })
        }
    }

    /// Forgets a finished run, and its output.
    ///
    /// - Parameters:
    ///   - id: its name.
    ///   - completion: called on another thread: whether there was one.
    public func forget(_ id: RunID, _ completion: @escaping @Sendable (Result<Bool, StoreError>) -> Void) {
        cache.remove(id)
        thread.performAfterwards { [blobs] database in
            let result = Result { () throws(StoreError) in try database.forget(id) }
            if result == .success(true) { blobs.release([id]) }
            completion(result)
        }
    }

    /// Who is to be told when old runs are forgotten because there are too many; called on another thread.
    public func whenForgotten(_ body: @escaping @Sendable ([RunID]) -> Void) {
        thread.whenForgotten { [weak blobs] ids in
            blobs?.release(ids)
            body(ids)
        }
    }

    /// These are not remembered any more.
    public func drop(_ ids: [RunID]) {
        for id in ids { cache.remove(id) }
    }

    // MARK: The end

    /// Writes what there is to write.
    public func close() {
        blobs.threads.close()
        thread.close()
        directory.close()
    }
}
