internal import CLinux
internal import CoreMetrics
internal import Glibc
internal import Locks
internal import Runs

/// The thread on which the database is read and written.
///
/// Whatever waits is written in one transaction, so that many runs share the cost of one commit. What nobody waits for may wait
/// some milliseconds for more to come, and a run that ends meanwhile is written once.
final class StoreThread: @unchecked Sendable {
    typealias Job = @Sendable (RunDatabase) -> Void

    private struct Work {
        var jobs: [Job] = []
        var changes: [RunChange] = []
        var jobsAfter: [Job] = []

        var isEmpty: Bool { jobs.isEmpty && changes.isEmpty && jobsAfter.isEmpty }
    }

    /// How long what nobody waits for may wait.
    private static let patienceMilliseconds = 10
    /// The time between two tries when the last one failed.
    private static let retryMilliseconds = 500
    /// The time between two looks at what has become too old.
    private static let pruneMilliseconds = 60_000

    // SAFETY: all variables are reached under the mutex alone, but for these: `thread` by the store's owner, who
    // starts and closes it from one thread at a time, and the database by the thread, or by the owner where there is none.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var waiting = Work()
    private var places: [RunID: Int] = [:]
    /// The runs that are being written.
    private var beingWritten: [RunID: Int] = [:]
    private var isUrgent = false
    private var isClosing = false
    private var lastFailure: StoreError?
    private var forgotten: @Sendable ([RunID]) -> Void = { _ in }
    private var tidy: @Sendable () -> Void = {}
    private var thread: NamedThread?
    /// `nil` once the thread is over: then the file is closed.
    private var database: RunDatabase?
    private let running: RunningTable
    private let metrics: StoreMetrics

    init(_ database: sending RunDatabase, _ running: RunningTable, _ metrics: StoreMetrics) {
        metrics.publish(database.total)
        self.metrics = metrics
        self.database = database
        self.running = running
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    /// Starts the thread, which has the privileges that its maker has then.
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

    // MARK: From other threads

    /// Has a change written.
    func save(_ change: RunChange) {
        let mustRing = withLock {
            let wasIdle = waiting.isEmpty
            if let place = places[change.run.id] {
                waiting.changes[place].merge(change)
            } else {
                places[change.run.id] = waiting.changes.count
                waiting.changes.append(change)
            }
            let isFirst = change.isUrgent && !isUrgent
            isUrgent = isUrgent || change.isUrgent
            return wasIdle || isFirst
        }
        if mustRing { pthread_cond_signal(condition) }
    }

    /// Has a completion called once all is written that is known of a run, or could not be.
    ///
    /// - Returns: whether it is written already; the completion is not called then.
    func settle(_ id: RunID, _ completion: @escaping @Sendable () -> Void) -> Bool {
        let isSettled = withLock {
            guard places[id] != nil || beingWritten[id] != nil else { return true }
            // After the writing that it waits for, whichever that is.
            waiting.jobsAfter.append { _ in completion() }
            isUrgent = true
            return false
        }
        if !isSettled { pthread_cond_signal(condition) }
        return isSettled
    }

    /// Has something else done with the database, before what waits is written.
    func perform(_ job: @escaping Job) {
        withLock {
            waiting.jobs.append(job)
            isUrgent = true
        }
        pthread_cond_signal(condition)
    }

    /// Has something else done with the database, once all is written that waits now.
    func performAfterwards(_ job: @escaping Job) {
        withLock {
            waiting.jobsAfter.append(job)
            isUrgent = true
        }
        pthread_cond_signal(condition)
    }

    /// Why the last try to write failed; `nil`: it did not.
    var failure: StoreError? { withLock { lastFailure } }

    /// Who is told, on this thread, of runs that were forgotten because there were too many.
    func whenForgotten(_ body: @escaping @Sendable ([RunID]) -> Void) { withLock { forgotten = body } }

    /// What else is looked at when this thread looks for what has become too old.
    func whenPruning(_ body: @escaping @Sendable () -> Void) { withLock { tidy = body } }

    /// Writes what there is to write, and ends the thread.
    func close() {
        let isFirst = withLock {
            defer { isClosing = true }
            return !isClosing
        }
        guard isFirst else { return }
        // Nobody else has done it.
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
            withLock { beingWritten.removeAll(keepingCapacity: true) }
            for job in work.jobsAfter { job(database) }
            prune(database)
        }
        _ = write(failed, to: database)
        database.close()
        self.database = nil
    }

    /// Waits until there is something to do; `nil` at the end, when all is done.
    private func take(retrying: Bool) -> Work? {
        withLock {
            while waiting.isEmpty, !isClosing {
                if !wait(retrying ? Self.retryMilliseconds : Self.pruneMilliseconds) { break }
            }
            if isClosing, waiting.isEmpty { return nil }
            // For more to come. Whoever cannot wait rings.
            while !waiting.isEmpty, !isUrgent, !isClosing, wait(Self.patienceMilliseconds) {}
            let work = waiting
            waiting = Work()
            swap(&places, &beingWritten)
            places.removeAll(keepingCapacity: true)
            isUrgent = false
            return work
        }
    }

    /// Waits for the bell; `false` when the time is over.
    private func wait(_ milliseconds: Int) -> Bool {
        sandglass_condition_wait(condition, mutex, Int64(milliseconds)) == 0
    }

    private static func merge(_ earlier: [RunChange], _ later: [RunChange]) -> [RunChange] {
        guard !earlier.isEmpty else { return later }
        var merged = earlier
        var places = Dictionary(uniqueKeysWithValues: zip(earlier.map(\.run.id), earlier.indices))
        for change in later {
            if let place = places[change.run.id] {
                merged[place].merge(change)
            } else {
                places[change.run.id] = merged.count
                merged.append(change)
            }
        }
        return merged
    }

    /// Writes the changes and tells those who wait.
    ///
    /// - Returns: those to try again. A new run that somebody waits for is none of them: its client has been refused, and it is
    ///   not to appear later.
    private func write(_ changes: [RunChange], to database: RunDatabase) -> [RunChange] {
        guard !changes.isEmpty else { return [] }
        do throws(StoreError) {
            let start = Self.nanoseconds
            try database.write(changes)
            metrics.commit.recordNanoseconds(Self.nanoseconds - start)
            metrics.publish(database.total)
            for change in changes where change.run.state != .queued { running.remove(change.run.id) }
            withLock { lastFailure = nil }
            for change in changes { for completion in change.completions { completion(nil) } }
            return []
        } catch {
            let kept = changes.filter { !$0.isNew || !$0.isUrgent }
            withLock { lastFailure = kept.isEmpty ? nil : error }
            // What is remembered already only is not up to date.
            for change in changes { for completion in change.completions { completion(change.isNew ? error : nil) } }
            return kept.map { change in
                var change = change
                change.completions = []
                return change
            }
        }
    }

    private static var nanoseconds: Int64 { sandglass_monotonic_nanoseconds() }

    private func prune(_ database: RunDatabase) {
        withLock { tidy }()
        defer { metrics.publish(database.total) }
        while (try? database.pruneKeys(.now)) == true {
            if withLock({ !waiting.isEmpty }) { return }
        }
        while let ids = try? database.prune(.now), !ids.isEmpty {
            let tell = withLock { forgotten }
            tell(ids)
            // Others have their turn; this one comes again with the next writing.
            if withLock({ !waiting.isEmpty }) { return }
        }
    }
}
