internal import CLinux
internal import CoreMetrics
internal import Glibc
internal import RunModel
internal import System

/// The newest state of a run that the database has to store; later changes of the same run are merged into it.
struct RunChange: Sendable {
    var run: Run
    var principal: String
    /// The full specification of a new run; `nil` if the run was inserted before.
    var request: RunSpecification?
    /// The idempotency key of a new run, if it has one.
    var key: IdempotencyRecord?
    /// The interleaving of both output streams of a finished run.
    var interleaving = StreamInterleaving()
    /// True if the database does not contain the run yet.
    var isNew: Bool { request != nil }
    /// The callbacks to call after the commit, with the error if it failed.
    var completions: [@Sendable (StoreError?) -> Void] = []

    /// True if a client waits for the commit.
    var isUrgent: Bool { !completions.isEmpty }

    /// Merges a later change of the same run into this one.
    mutating func merge(_ later: RunChange) {
        run = later.run
        if !later.interleaving.pieces.isEmpty { interleaving = later.interleaving }
        completions += later.completions
    }
}

/// The thread that reads and writes the database.
///
/// The thread writes all pending changes in one transaction. A single commit then serves many runs. The thread delays
/// changes that no client waits for by some milliseconds, to collect more of them. A run that ends meanwhile is written
/// once.
final class DatabaseWriter: @unchecked Sendable {
    typealias Job = @Sendable (RunDatabase) -> Void

    private struct Work {
        var jobs: [Job] = []
        var changes: [RunChange] = []
        var jobsAfterCommit: [Job] = []

        var isEmpty: Bool { jobs.isEmpty && changes.isEmpty && jobsAfterCommit.isEmpty }
    }

    /// The maximum delay of changes that no client waits for.
    private static let batchMilliseconds = 10
    /// The time from a failed commit to the next attempt.
    private static let retryMilliseconds = 500
    /// The maximum time from one removal of expired data to the next.
    private static let pruneMilliseconds = 60_000

    // SAFETY: every variable is accessed only under the mutex, with two exceptions. The store's owner, who starts and
    // closes the writer from one thread at a time, accesses `thread`. The thread, or the owner if there is no thread,
    // accesses `database`.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var pending = Work()
    /// The index in `pending.changes` of each run that has a change there.
    private var pendingIndices: [RunID: Int] = [:]
    /// The former `pendingIndices` of the changes that the thread is writing now.
    private var indicesBeingWritten: [RunID: Int] = [:]
    private var isUrgent = false
    private var isClosing = false
    private var lastFailure: StoreError?
    private var onRunsPruned: @Sendable ([RunID]) -> Void = { _ in }
    private var onPrune: @Sendable () -> Void = {}
    private var thread: NamedThread?
    /// The database, or `nil` after the thread has closed it.
    private var database: RunDatabase?
    private let journal: StartJournal
    private let metrics: StoreMetrics

    init(_ database: sending RunDatabase, _ journal: StartJournal, _ metrics: StoreMetrics) {
        metrics.publish(database.total)
        self.metrics = metrics
        self.database = database
        self.journal = journal
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    /// Starts the thread with the privileges that the calling thread has now.
    func start() {
        guard thread == nil else { return }
        thread = NamedThread("store") { [self] in work() }
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    private func withLock<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    // MARK: Requests from other threads

    /// Queues a change.
    func save(_ change: RunChange) {
        let mustSignal = withLock {
            let wasIdle = pending.isEmpty
            if let index = pendingIndices[change.run.id] {
                pending.changes[index].merge(change)
            } else {
                pendingIndices[change.run.id] = pending.changes.count
                pending.changes.append(change)
            }
            let isFirstUrgent = change.isUrgent && !isUrgent
            isUrgent = isUrgent || change.isUrgent
            return wasIdle || isFirstUrgent
        }
        if mustSignal { pthread_cond_signal(condition) }
    }

    /// Calls a completion after the commit of all pending changes of a run, whether the commit succeeds or fails.
    ///
    /// - Returns: `true` if there is no pending change; the completion is not called in this case.
    func whenPersisted(_ id: RunID, _ completion: @escaping @Sendable () -> Void) -> Bool {
        let isPersisted = withLock {
            guard pendingIndices[id] != nil || indicesBeingWritten[id] != nil else { return true }
            // Runs after the commit in question, whether it is the current one or the next.
            pending.jobsAfterCommit.append { _ in completion() }
            isUrgent = true
            return false
        }
        if !isPersisted { pthread_cond_signal(condition) }
        return isPersisted
    }

    /// Runs a job on the thread, before the next commit.
    func perform(_ job: @escaping Job) {
        withLock {
            pending.jobs.append(job)
            isUrgent = true
        }
        pthread_cond_signal(condition)
    }

    /// Runs a job on the thread, after the commit of everything that is pending now.
    func performAfterCommit(_ job: @escaping Job) {
        withLock {
            pending.jobsAfterCommit.append(job)
            isUrgent = true
        }
        pthread_cond_signal(condition)
    }

    /// The error of the last commit, or `nil` if it succeeded.
    var failure: StoreError? { withLock { lastFailure } }

    /// Sets the callback that receives, on this thread, the ids of runs that the retention limits removed.
    func whenRunsPruned(_ body: @escaping @Sendable ([RunID]) -> Void) { withLock { onRunsPruned = body } }

    /// Sets the callback that the thread calls whenever it removes expired data.
    func whenPruning(_ body: @escaping @Sendable () -> Void) { withLock { onPrune = body } }

    /// Writes all pending changes, ends the thread and releases the callbacks.
    func close() {
        let isFirst = withLock {
            defer { isClosing = true }
            return !isClosing
        }
        guard isFirst else { return }
        defer {
            // A callback may refer to the owner of this object.
            withLock { (onRunsPruned, onPrune) = ({ _ in }, {}) }
        }
        // Without a thread, the caller does the remaining work.
        guard let thread else { return work() }
        pthread_cond_signal(condition)
        thread.join()
    }

    // MARK: The thread

    private func work() {
        guard let database else { return }
        var failed: [RunChange] = []
        while let work = take(retrying: !failed.isEmpty) {
            for job in work.jobs { job(database) }
            failed = write(Self.merge(failed, work.changes), to: database)
            withLock { indicesBeingWritten.removeAll(keepingCapacity: true) }
            for job in work.jobsAfterCommit { job(database) }
            prune(database)
        }
        _ = write(failed, to: database)
        database.close()
        self.database = nil
    }

    /// Waits for work, for a retry or for the next removal of expired data, and returns the pending work.
    ///
    /// - Returns: `nil` if the writer is closing and no work is left.
    private func take(retrying: Bool) -> Work? {
        withLock {
            while pending.isEmpty, !isClosing {
                if !wait(retrying ? Self.retryMilliseconds : Self.pruneMilliseconds) { break }
            }
            if isClosing, pending.isEmpty { return nil }
            // Collects more changes until the delay is over or an urgent change arrives.
            while !pending.isEmpty, !isUrgent, !isClosing, wait(Self.batchMilliseconds) {}
            let work = pending
            pending = Work()
            swap(&pendingIndices, &indicesBeingWritten)
            pendingIndices.removeAll(keepingCapacity: true)
            isUrgent = false
            return work
        }
    }

    /// Waits for a signal and returns `false` after a timeout.
    private func wait(_ milliseconds: Int) -> Bool {
        sandglass_condition_wait(condition, mutex, Int64(milliseconds)) == 0
    }

    private static func merge(_ earlier: [RunChange], _ later: [RunChange]) -> [RunChange] {
        guard !earlier.isEmpty else { return later }
        var merged = earlier
        var indices = Dictionary(uniqueKeysWithValues: zip(earlier.map(\.run.id), earlier.indices))
        for change in later {
            if let index = indices[change.run.id] {
                merged[index].merge(change)
            } else {
                indices[change.run.id] = merged.count
                merged.append(change)
            }
        }
        return merged
    }

    /// Commits changes and calls their completions.
    ///
    /// - Returns: the changes to retry after a failure. A new run with a waiting client is not among them: the client
    ///   receives an error, so the run must not appear later.
    private func write(_ changes: [RunChange], to database: RunDatabase) -> [RunChange] {
        guard !changes.isEmpty else { return [] }
        do throws(StoreError) {
            let start = Self.nanoseconds
            try database.write(changes)
            metrics.commit.recordNanoseconds(Self.nanoseconds - start)
            metrics.publish(database.total)
            for change in changes where change.run.state != .queued { journal.remove(change.run.id) }
            withLock { lastFailure = nil }
            for change in changes { for completion in change.completions { completion(nil) } }
            return []
        } catch {
            let retried = changes.filter { !$0.isNew || !$0.isUrgent }
            withLock { lastFailure = retried.isEmpty ? nil : error }
            // A run that the database already contains is persisted, although not in its newest state. That is no
            // error.
            for change in changes { for completion in change.completions { completion(change.isNew ? error : nil) } }
            return retried.map { change in
                var change = change
                change.completions = []
                return change
            }
        }
    }

    private static var nanoseconds: Int64 { sandglass_monotonic_nanoseconds() }

    private func prune(_ database: RunDatabase) {
        withLock { onPrune }()
        defer { metrics.publish(database.total) }
        while (try? database.pruneKeys(.now)) == true {
            if withLock({ !pending.isEmpty }) { return }
        }
        while let ids = try? database.prune(.now), !ids.isEmpty {
            let notify = withLock { onRunsPruned }
            notify(ids)
            // Pending work goes first; pruning continues after the next commit.
            if withLock({ !pending.isEmpty }) { return }
        }
    }
}
