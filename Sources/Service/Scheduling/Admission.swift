internal import CoreMetrics
internal import Identity
internal import Logging
internal import Reactor
internal import RunModel
internal import Store
internal import System

/// Decides whether a submission becomes a run, and stores the run before it is queued.
@ReactorActor
final class Admission {
    private let scheduler: Scheduler
    private let store: RunStore
    private let subscriptions: Subscriptions
    private let enforcement: Enforcement
    private let metrics: ServiceMetrics
    private var rejections: RejectionLog
    private var rates = RateLimiter()
    private var ids: RunIDGenerator
    private var persisting = SingleFlight<RunID, StoreError?>()
    /// Called when an accepted run could not be stored and therefore does not exist any more.
    var onAbandon: (@ReactorActor (RunID) -> Void)?

    init(
        scheduler: Scheduler,
        store: RunStore,
        subscriptions: Subscriptions,
        enforcement: Enforcement,
        metrics: ServiceMetrics,
        logger: Logger
    ) {
        (self.scheduler, self.store, self.subscriptions) = (scheduler, store, subscriptions)
        (self.enforcement, self.metrics) = (enforcement, metrics)
        rejections = RejectionLog(logger)
        ids = RunIDGenerator(after: store.newest)
    }

    // MARK: Rate limits

    /// Counts a request against a principal's rate limit and returns the limit's state; `nil` if the principal has
    /// none.
    func countRequest(of principal: Principal) -> RateState? {
        guard let quota = scheduler.limits(of: principal.name).runsPerMinute else { return nil }
        return rates.take(of: principal.name, quota: quota, at: .now)
    }

    /// Removes the rate limit state of principals that no longer exist.
    func keepRates(ofOnly principals: [Principal]) { rates.keep(only: Set(principals.map(\.name))) }

    // MARK: Accepting

    /// Accepts a run, which starts as soon as the limits allow, possibly before this function returns.
    ///
    /// The run survives a crash of the service only after ``persist(_:_:)`` has completed.
    ///
    /// - Throws: `SubmissionError` if the run is rejected.
    func accept(_ submission: Submission) throws(SubmissionError) -> Run {
        do throws(SubmissionError) { return try acceptUnlogged(submission) } catch { throw rejected(error) }
    }

    private func acceptUnlogged(_ submission: Submission) throws(SubmissionError) -> Run {
        guard scheduler.isAccepting else { throw .notAccepting }
        if let failure = store.failure { throw .notStored(failure) }
        let (specification, principal) = (submission.specification, submission.principal)
        let now = Timestamp.now
        let queued = QueuedRun(
            id: ids.next(now: now),
            principal: principal,
            request: specification,
            since: .now,
            before: .zero,
            traceID: submission.trace?.traceID
        )
        try scheduler.checkCapacity(for: queued)
        try holdBlobs(of: submission, for: queued.id)
        var run = Run(
            id: queued.id,
            specification: storedPart(of: specification),
            enforcement: enforcement(of: specification),
            createdAt: now
        )
        run.principal = principal
        let record = submission.key.map { IdempotencyRecord($0, for: run.id, since: now) }
        store.insert(run, specification, of: principal, key: record)
        // Persisted immediately, so that a repetition of the request does not run the command again if this service is
        // killed meanwhile.
        if record != nil { persist(run.id) { _ in } }
        metrics.accepted.increment()
        scheduler.enqueue(queued)
        return store.run(run.id)?.run ?? run
    }

    /// Prevents the deletion of a run's input blobs until the run has finished.
    ///
    /// - Throws: `SubmissionError.missingBlobs` if a blob does not exist or belongs to another principal.
    private func holdBlobs(of submission: Submission, for run: RunID) throws(SubmissionError) {
        guard !submission.specification.blobs.isEmpty else { return }
        let digests = submission.specification.blobs.compactMap { SHA256Digest(hexadecimal: $0) }
        let principal = submission.principal
        let visibleTo = submission.seesAllBlobs ? nil : principal
        let missing = store.blobs.hold(digests, by: run, for: visibleTo, owner: principal)
        guard missing.isEmpty else { throw .missingBlobs(missing.map(\.hexadecimal)) }
    }

    /// Returns the part of a specification that is stored with the run.
    ///
    /// The input, the content of files and the environment are for the command only.
    private func storedPart(of specification: RunSpecification) -> RunSpecification {
        var stored = specification
        stored.standardInput = .empty
        stored.files = []
        for index in stored.recordedFiles.indices {
            guard let content = stored.recordedFiles[index].content, content.bytes == nil,
                let blob = SHA256Digest(hexadecimal: content.sha256).flatMap({ store.blobs.find($0, for: nil) })
            else { continue }
            stored.recordedFiles[index].setBytes(blob.bytes)
        }
        stored.environment = [:]
        stored.trace = nil
        return stored
    }

    /// Returns the protections of a run on this host.
    func enforcement(of specification: RunSpecification) -> Enforcement {
        enforcement.receipt(of: specification)
    }

    /// Counts and logs a rejection, and returns it.
    func rejected(_ error: SubmissionError) -> SubmissionError {
        metrics.rejected(error)
        rejections.record(error)
        return error
    }

    // MARK: Persisting

    /// Waits until an accepted run is persistent: it survives a crash of the service.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - completion: called with `nil`, or with the error because of which the run was abandoned.
    func persist(_ id: RunID, _ completion: @escaping @ReactorActor (StoreError?) -> Void) {
        guard persisting.begin(id, otherwise: completion) else { return }
        store.persist(
            id,
            onReactor { [self] error in
                if let error {
                    abandon(id)
                    _ = rejected(.notStored(error))
                }
                completion(error)
                for completion in persisting.end(id) { completion(error) }
            }
        )
    }

    /// Removes a run that could not be stored.
    private func abandon(_ id: RunID) {
        guard let stored = store.run(id) else { return }
        scheduler.withdraw(stored)
        store.discard(id)
        onAbandon?(id)
        subscriptions.runAbandoned(id)
    }
}

/// Logs rejected submissions, each reason at most every 10 seconds, so that a flood of requests does not flood the log.
private struct RejectionLog {
    private static let interval = Duration.seconds(10)

    private let logger: Logger
    /// The times from which the reasons are logged again.
    private var next: [String: MonotonicTime] = [:]

    init(_ logger: Logger) { self.logger = logger }

    mutating func record(_ error: SubmissionError) {
        let now = MonotonicTime.now
        let isDue = next[error.reason].map { $0 <= now } ?? true
        if isDue { next[error.reason] = now.advanced(by: Self.interval) }
        var metadata: Logger.Metadata = ["reason": "\(error.reason)"]
        switch error {
        case .notStored(let failure): metadata["error"] = "\(failure)"
        case .queueFull(let waiting): metadata["queued"] = .stringConvertible(waiting)
        case .tooManyWaiting(let most): metadata["most"] = .stringConvertible(most)
        case .runDeleted(let run): metadata["run"] = "\(run)"
        case .notAccepting, .keyTaken, .missingBlobs: break
        }
        logger.log(level: isDue ? Self.level(error) : .debug, "rejected a run", metadata: metadata)
    }

    /// Returns a low level for errors of the client, which need no operator.
    private static func level(_ error: SubmissionError) -> Logger.Level {
        switch error {
        case .notStored: .error
        case .queueFull: .warning
        case .notAccepting, .tooManyWaiting: .info
        case .keyTaken, .runDeleted, .missingBlobs: .debug
        }
    }
}

/// The state of a principal's rate limit after one request.
package struct RateState: Sendable, Hashable {
    /// True if the request is within the limit.
    package let isAllowed: Bool
    /// The number of runs that the principal may submit per minute.
    package let quota: Int
    /// The number of runs that the principal may still submit now.
    package let remaining: Int
    /// The number of seconds until the principal may submit the next run; 0 if the request is within the limit.
    package let secondsToNext: Int
    /// The number of seconds until the whole quota is available again.
    package let secondsToAll: Int
}

/// A token bucket for each principal, which holds the runs of one minute and fills continuously.
struct RateLimiter {
    /// The time in seconds in which an empty bucket fills.
    private static let window = 60.0

    private struct Bucket {
        var tokens: Double
        var time: MonotonicTime
    }

    private var buckets: [String: Bucket] = [:]

    /// Takes a token from a principal's bucket if it holds one.
    ///
    /// - Parameters:
    ///   - principal: the name of the principal.
    ///   - quota: the number of runs per minute.
    ///   - now: the current time.
    /// - Returns: whether there was a token, and the state of the bucket.
    mutating func take(of principal: String, quota: Int, at now: MonotonicTime) -> RateState {
        let capacity = Double(quota)
        var bucket = buckets[principal] ?? Bucket(tokens: capacity, time: now)
        let passed = now.since(bucket.time) / .seconds(1)
        bucket.tokens = min(bucket.tokens + max(passed, 0) * capacity / Self.window, capacity)
        bucket.time = now
        let isAllowed = bucket.tokens >= 1
        if isAllowed { bucket.tokens -= 1 }
        buckets[principal] = bucket
        return RateState(
            isAllowed: isAllowed,
            quota: quota,
            remaining: Int(bucket.tokens),
            secondsToNext: isAllowed ? 0 : Int(((1 - bucket.tokens) * Self.window / capacity).rounded(.up)),
            secondsToAll: Int(((capacity - bucket.tokens) * Self.window / capacity).rounded(.up))
        )
    }

    /// Removes the buckets of all other principals.
    mutating func keep(only principals: Set<String>) {
        buckets = buckets.filter { principals.contains($0.key) }
    }
}
