internal import Glibc
package import RunModel
package import System

/// The failures that an accepted run survives.
package enum Durability: String, Sendable, Hashable, CaseIterable {
    /// Any end of the server process, but not a crash of the host.
    case normal
    /// Also a crash of the host: the disk has the run before the client gets the response (fsync(2)).
    case full
}

/// The limits for finished runs; the store deletes the oldest runs that exceed one of them.
package struct Retention: Sendable, Hashable {
    /// The maximum number of finished runs.
    package var runs: Int
    /// The maximum number of bytes of their records, output and artifacts together.
    package var bytes: Int
    /// The maximum age in seconds, or `nil` for no maximum age.
    package var seconds: Int?

    /// Creates limits; the defaults are 100,000 runs, 4 GiB and no maximum age.
    package init(runs: Int = 100_000, bytes: Int = 4 << 30, seconds: Int? = nil) {
        self.runs = runs
        self.bytes = bytes
        self.seconds = seconds
    }
}

/// The persistent store of runs: a database file, and files for large output.
///
/// One thread at a time may call it. Disk access happens on the ``DatabaseWriter``'s thread, which also calls the
/// completions.
package final class RunStore {
    /// The runs that an earlier process queued but did not start, oldest first, with their full specifications.
    package let queued: [(run: StoredRun, request: RunSpecification)]
    /// The number of runs that an earlier process started but did not finish; their outcome is now `lost`.
    package let lostCount: Int
    /// The id of the newest run in the store.
    package let newest: RunID?

    /// The store of blobs.
    package let blobs: BlobStore

    private let directory: DataDirectory
    private let writer: DatabaseWriter
    private let startJournal: StartJournal
    private var cache = RunCache()

    // MARK: Opening and closing

    /// Opens the store of a data directory.
    ///
    /// - Parameters:
    ///   - directory: the locked data directory.
    ///   - durability: the failures that an accepted run survives.
    ///   - retention: the limits for finished runs.
    ///   - blobLimits: the limits for blobs.
    ///   - metrics: the metrics to update.
    /// - Throws: a ``StoreError`` if the database cannot be used, for example because it is damaged.
    package init(
        _ directory: DataDirectory,
        durability: Durability = .normal,
        retention: Retention = Retention(),
        blobLimits: BlobLimits = BlobLimits(),
        metrics: StoreMetrics = StoreMetrics()
    ) throws(StoreError) {
        self.directory = directory
        // Other users must not read the files, whatever the mode of the directory is.
        let mask = umask(0o077)
        defer { umask(mask) }
        let database = try RunDatabase(
            path: directory.databasePath,
            outputPath: directory.outputPath,
            durability: durability,
            retention: retention
        )
        startJournal = try StartJournal(path: directory.startJournalPath)
        newest = try database.newest()
        var queued: [(run: StoredRun, request: RunSpecification)] = []
        var lost: [RunChange] = []
        for (stored, request) in try database.unfinished() {
            if let request, stored.run.state == .queued, !startJournal.previous.contains(stored.run.id) {
                queued.append((stored, request))
            } else {
                lost.append(Self.lost(stored, in: directory))
            }
        }
        if !lost.isEmpty { try database.write(lost) }
        for change in lost { try database.blobs.release(change.run.id) }
        startJournal.clear()
        self.queued = queued
        lostCount = lost.count
        for (run, _) in queued { cache.insert(run) }
        let entries = try database.blobs.all()
        writer = DatabaseWriter(database, startJournal, metrics)
        blobs = BlobStore(BlobDirectory(path: directory.blobPath), entries, blobLimits, durability, writer, metrics)
        writer.whenRunsPruned { [weak blobs] in blobs?.release($0) }
        writer.whenPruning { [weak blobs] in blobs?.collectExpired() }
        OrphanedOutput(in: directory.outputPath, upTo: newest).remove(on: writer)
    }

    /// Returns the end of a lost run, with the output that its files contain.
    private static func lost(_ stored: StoredRun, in directory: DataDirectory) -> RunChange {
        func output(_ stream: OutputStream) -> CapturedOutput {
            let path = directory.outputPath(of: stored.run.id, stream)
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .empty }
            let specification = stored.run.specification
            return CapturedOutput(
                file: path,
                recordedBytes: Int(status.st_size),
                keeping: specification.keepOutput,
                limit: specification.limits.outputBytes
            )
        }
        var run = stored.run
        run.standardOutput = output(.standardOutput)
        run.standardError = output(.standardError)
        run.finish(Run.Result(outcome: .lost, usage: nil, finishedAt: .now))
        return RunChange(run: run, principal: stored.principal)
    }

    /// Starts the store's threads with the privileges that the calling thread has now.
    package func start() {
        writer.start()
        blobs.start()
    }

    /// Writes everything that is pending, ends the threads and closes the data directory.
    package func close() {
        blobs.pool.close()
        writer.close()
        directory.close()
    }

    // MARK: Writing

    /// The error of the last commit, or `nil` if it succeeded.
    package var failure: StoreError? { writer.failure }

    /// Tests whether a new run could be stored now: commits a transaction and checks the free space.
    ///
    /// - Parameter completion: called on another thread, with the error if the test fails.
    package func tryWriting(_ completion: @escaping @Sendable (StoreError?) -> Void) {
        let path = directory.outputPath
        writer.performAfterCommit { database in
            do throws(StoreError) {
                try database.tryWriting()
                try FreeSpace.check(path)
                completion(nil)
            } catch { completion(error) }
        }
    }

    /// Inserts a new run.
    ///
    /// - Parameters:
    ///   - run: the run.
    ///   - request: the full specification.
    ///   - principal: the name of the owner.
    ///   - key: the idempotency key of the run; one transaction writes both.
    package func insert(_ run: Run, _ request: RunSpecification, of principal: String, key: IdempotencyRecord? = nil) {
        cache.insert(StoredRun(run: run, principal: principal))
        writer.save(RunChange(run: run, principal: principal, request: request, key: key))
    }

    /// Stores an idempotency key for a run that already exists.
    ///
    /// - Parameters:
    ///   - key: the key and the run.
    ///   - principal: the name of the key's owner.
    ///   - completion: called on another thread, with the error if the key could not be written.
    package func saveKey(
        _ key: IdempotencyRecord,
        of principal: String,
        _ completion: @escaping @Sendable (StoreError?) -> Void
    ) {
        writer.performAfterCommit { database in
            do throws(StoreError) {
                try database.write(key, of: principal)
                completion(nil)
            } catch { completion(error) }
        }
    }

    /// Replaces a run by its newer state.
    ///
    /// - Parameters:
    ///   - run: the newer state.
    ///   - interleaving: the interleaving of both output streams of a finished run.
    package func update(_ run: Run, interleaving: StreamInterleaving = StreamInterleaving()) {
        guard let previous = cache[run.id] else { return }
        cache.insert(StoredRun(run: run, principal: previous.principal, interleaving: interleaving))
        writer.save(RunChange(run: run, principal: previous.principal, interleaving: interleaving))
        if let result = run.result { blobs.releaseInputs(of: run.id, except: result.artifacts) }
    }

    /// Records that the command of a queued run may start from now on.
    ///
    /// Such a run does not start again after a restart, whatever the database says about it.
    package func prepareStart(_ id: RunID) { startJournal.insert(id) }

    /// Writes a run now instead of with the next batch.
    ///
    /// - Parameters:
    ///   - id: a run that was inserted.
    ///   - completion: called on another thread after the commit, from which on the run survives the failures of the
    ///     ``Durability``. An error means that the run is not stored.
    package func persist(_ id: RunID, _ completion: @escaping @Sendable (StoreError?) -> Void) {
        guard let stored = cache[id] else { return completion(nil) }
        writer.save(RunChange(run: stored.run, principal: stored.principal, completions: [completion]))
    }

    /// Calls a completion after the commit of all pending changes of a run, whether the commit succeeds or fails.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - completion: called on another thread.
    /// - Returns: `true` if there is no pending change; the completion is not called in this case.
    package func whenPersisted(_ id: RunID, _ completion: @escaping @Sendable () -> Void) -> Bool {
        writer.whenPersisted(id, completion)
    }

    /// Discards a new run that could not be written.
    package func discard(_ id: RunID) {
        startJournal.remove(id)
        cache.remove(id)
        blobs.release([id])
    }

    /// Returns a recorder for an output stream of a run.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - stream: the stream.
    ///   - keepOutput: the part that is kept of a stream that exceeds the limit.
    ///   - limit: the maximum number of kept bytes.
    /// - Returns: the recorder of a stream without output.
    package func recorder(
        for id: RunID,
        _ stream: OutputStream,
        keeping keepOutput: KeepOutput = .head,
        limit: Int = .max
    ) -> OutputRecorder {
        OutputRecorder(path: directory.outputPath(of: id, stream), keeping: keepOutput, limit: limit)
    }

    // MARK: Reading

    /// Returns a run that is unfinished or has finished recently; ``find(_:_:)`` finds older runs.
    package func run(_ id: RunID) -> StoredRun? { cache[id] }

    /// Returns whether ``run(_:)`` returns a run, without copying it.
    package func contains(_ id: RunID) -> Bool { cache.contains(id) }

    /// Finds a run in the database.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - completion: called on another thread, with `nil` if there is no such run.
    package func find(_ id: RunID, _ completion: @escaping @Sendable (Result<StoredRun?, StoreError>) -> Void) {
        writer.perform { database in
            completion(Result { () throws(StoreError) in try database.run(id) })
        }
    }

    /// Finds the record of an idempotency key.
    ///
    /// - Parameters:
    ///   - key: the text of the key.
    ///   - principal: the name of the key's owner.
    ///   - completion: called on another thread with the last record, which may have expired.
    package func findKey(
        _ key: String,
        of principal: String,
        _ completion: @escaping @Sendable (Result<IdempotencyRecord?, StoreError>) -> Void
    ) {
        writer.performAfterCommit { database in
            completion(Result { () throws(StoreError) in try database.findKey(key, of: principal) })
        }
    }

    /// Finds the newest run with a specification whose outcome is `exited`.
    ///
    /// - Parameters:
    ///   - digest: the digest of the specification.
    ///   - principal: the name of the owner.
    ///   - completion: called on another thread, with `nil` if there is no such run.
    package func findExited(
        _ digest: SHA256Digest,
        of principal: String,
        _ completion: @escaping @Sendable (Result<StoredRun?, StoreError>) -> Void
    ) {
        writer.performAfterCommit { database in
            completion(Result { () throws(StoreError) in try database.findExited(digest, of: principal) })
        }
    }

    /// Finds the complete request of a run, with its input and its environment.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - completion: called on another thread, with `nil` if there is no such run, or if an earlier version stored it
    ///     without its request.
    package func findRequest(
        _ id: RunID,
        _ completion: @escaping @Sendable (Result<RunSpecification?, StoreError>) -> Void
    ) {
        writer.performAfterCommit { database in
            completion(Result { () throws(StoreError) in try database.request(id) })
        }
    }

    /// Lists the newest runs that pass a filter.
    ///
    /// - Parameters:
    ///   - filter: the filter.
    ///   - limit: the maximum number of runs.
    ///   - completion: called on another thread; the list contains every change that precedes this call.
    package func page(
        _ filter: RunFilter,
        limit: Int,
        _ completion: @escaping @Sendable (Result<[StoredRun], StoreError>) -> Void
    ) {
        writer.performAfterCommit { database in
            completion(Result { () throws(StoreError) in try database.page(filter, limit: limit) })
        }
    }

    // MARK: Deletion

    /// Deletes a finished run and its output.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - completion: called on another thread, with `false` if there is no such finished run.
    package func delete(_ id: RunID, _ completion: @escaping @Sendable (Result<Bool, StoreError>) -> Void) {
        cache.remove(id)
        writer.performAfterCommit { [blobs] database in
            let result = Result { () throws(StoreError) in try database.delete(id) }
            if result == .success(true) { blobs.release([id]) }
            completion(result)
        }
    }

    /// Sets the callback that receives, on another thread, the runs that the retention limits removed.
    ///
    /// The callback's receiver passes the ids to ``evict(_:)``.
    package func whenRunsPruned(_ body: @escaping @Sendable ([RunID]) -> Void) {
        writer.whenRunsPruned { [weak blobs] ids in
            blobs?.release(ids)
            body(ids)
        }
    }

    /// Removes runs from memory that are no longer in the database.
    package func evict(_ ids: [RunID]) {
        for id in ids { cache.remove(id) }
    }
}
