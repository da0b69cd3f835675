package import Identity
package import Logging
package import Reactor
package import RunModel
package import Sandbox
package import Store

/// Accepts runs, executes them in order within its limits, and remembers how they ended.
///
/// To a principal that is not an admin, a run of another principal does not exist.
@ReactorActor
package final class RunService {
    private let store: RunStore
    private let scheduler: Scheduler
    private let admission: Admission
    private let deduplicator: Deduplicator
    private let subscriptions = Subscriptions()
    private let reader: RunReader
    private let readiness: ReadinessCheck
    /// The blobs that principals upload and read.
    package let blobs: BlobAccess

    /// Creates a service that continues with the queued runs of the service before it.
    ///
    /// - Parameters:
    ///   - launcher: the launcher of sandboxes.
    ///   - store: the store of runs, which the service starts.
    ///   - limits: the limits of concurrency, the queue and artifacts.
    ///   - enforcement: the means by which this host enforces limits.
    ///   - logger: the log of the operator.
    ///   - metrics: the metrics to update.
    package init(
        launcher: Launcher,
        store: RunStore,
        limits: ServiceLimits,
        enforcement: Enforcement,
        logger: Logger,
        metrics: ServiceMetrics = ServiceMetrics()
    ) {
        self.store = store
        scheduler = Scheduler(
            launcher: launcher,
            store: store,
            subscriptions: subscriptions,
            limits: limits,
            metrics: metrics,
            logger: logger
        )
        admission = Admission(
            scheduler: scheduler,
            store: store,
            subscriptions: subscriptions,
            enforcement: enforcement,
            metrics: metrics,
            logger: logger
        )
        reader = RunReader(store: store, scheduler: scheduler, subscriptions: subscriptions)
        deduplicator = Deduplicator(admission: admission, scheduler: scheduler, reader: reader, store: store)
        readiness = ReadinessCheck(launcher: launcher, store: store)
        blobs = BlobAccess(store.blobs)
        store.start()
        // The store lasts until it is closed. A weak reference would make each use of the store slower.
        store.whenRunsPruned(onReactor { [store] ids in store.evict(ids) })
        scheduler.recover()
    }

    // MARK: Operating

    /// Replaces the principals and their limits, without effect on runs that are queued or running.
    package func setPrincipals(_ principals: [Principal]) {
        admission.keepRates(ofOnly: principals)
        scheduler.setLimits(of: principals)
    }

    /// Counts a request against a principal's rate limit, whether or not the request creates a run.
    ///
    /// - Returns: the state of the rate limit, or `nil` if the principal has none.
    package func countRequest(of principal: Principal) -> RateState? { admission.countRequest(of: principal) }

    /// Tests for up to two seconds whether a run could be started and stored, and returns the faults.
    package func checkReadiness() async -> [ReadinessFault] {
        scheduler.isDraining ? [.stopping] : await readiness.check()
    }

    /// Sets the gauges among the metrics to their current values.
    package func publishLevels() { scheduler.publishLevels() }

    /// Accepts no more runs, cancels running ones after a timeout, and completes the requests that wait for runs.
    ///
    /// The completion is called when no command is running. With `keepsQueue` queued runs stay queued for the next
    /// service on the same store; otherwise they are cancelled.
    package func stop(
        after timeout: Duration = .zero,
        keepsQueue: Bool = false,
        _ completion: @escaping @ReactorActor () -> Void
    ) {
        scheduler.drain(atMost: timeout, keepsQueue: keepsQueue, completion)
    }

    // MARK: Creating runs

    /// Accepts a run, or finds the existing run of the submission's key or specification.
    ///
    /// A new run starts as soon as the limits allow. It survives a crash of the service only after ``persist(_:_:)``.
    /// The completion is called immediately if no lookup is necessary.
    package func submit(
        _ submission: Submission,
        _ completion: @escaping @ReactorActor (Result<SubmitResult, SubmissionError>) -> Void
    ) {
        deduplicator.submit(submission, completion)
    }

    /// Waits until an accepted run survives a crash of the service.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - completion: called with `nil`, or with the error because of which the run was abandoned.
    package func persist(_ id: RunID, _ completion: @escaping @ReactorActor (StoreError?) -> Void) {
        admission.persist(id, completion)
    }

    /// Finds the request of a run, so that it can be repeated.
    ///
    /// - Returns: the request; `nil` if an earlier version stored the run without it.
    package func request(of run: Run) async throws(StoreError) -> RunSpecification? {
        try await reader.request(of: run)
    }

    // MARK: Reading runs

    /// Returns a run that is in memory, because it is unfinished or finished recently, with its output so far.
    package func run(_ id: RunID, for principal: Principal = .anonymous) -> Run? { reader.run(id, for: principal) }

    /// Returns whether a run is in memory, without copying the run.
    package func contains(_ id: RunID, for principal: Principal) -> Bool { reader.contains(id, for: principal) }

    /// Finds a run in memory or in the database.
    package func find(_ id: RunID, for principal: Principal = .anonymous) async throws(StoreError) -> Run? {
        try await reader.find(id, for: principal)
    }

    /// Returns at most `limit` runs that match a filter, the newest first.
    package func list(_ filter: RunFilter, limit: Int) async throws(StoreError) -> [Run] {
        try await reader.list(filter, limit: limit)
    }

    /// Waits until the end of a run may be reported to a client: after any restart the run still has that end.
    ///
    /// - Parameters:
    ///   - run: the run to report. There is nothing to wait for if it is not finished.
    ///   - completion: called when the end is persistent, immediately if it already is.
    package func whenPersisted(_ run: Run, _ completion: @escaping @ReactorActor () -> Void) {
        reader.whenPersisted(run, completion)
    }

    /// Returns when the end of a run may be reported to a client.
    package func persisted(_ run: Run) async { await reader.persisted(run) }

    /// Waits for a run to finish and returns the waiter.
    ///
    /// The completion is called once, unless the waiter is cancelled: with the finished run, or with `nil` after the
    /// timeout. There is no waiter for a run that is finished or unknown, or that will not start in a stopping service.
    package func wait(
        for id: RunID,
        atMost duration: Duration,
        completion: @escaping @ReactorActor (Run?) -> Void
    ) -> Waiter? {
        reader.wait(for: id, atMost: duration, completion)
    }

    /// Subscribes to the state and output of a run, which may be finished.
    package func subscribe(
        to id: RunID,
        for principal: Principal = .anonymous
    ) async throws(StoreError) -> RunSubscription? {
        try await reader.subscribe(to: id, for: principal)
    }

    // MARK: Ending runs

    /// Cancels a run: a queued run finishes immediately, a running one ends as at its deadline.
    package func cancel(_ id: RunID, by principal: Principal = .anonymous) async throws(StoreError) -> CancelResult {
        if let stored = store.run(id), RunReader.isVisible(stored, to: principal), stored.run.state != .finished {
            scheduler.cancel(stored, by: .client(principal: principal.name))
            return .accepted(run(id) ?? stored.run)
        }
        return try await find(id, for: principal).map(CancelResult.finished) ?? .unknown
    }

    /// Deletes a finished run and its output.
    package func delete(_ id: RunID, by principal: Principal = .anonymous) async throws(StoreError) -> DeleteResult {
        guard let run = try await find(id, for: principal) else { return .unknown }
        guard run.state == .finished else { return .unfinished }
        let existed = try await withCheckedContinuation { continuation in
            store.delete(id) { continuation.resume(returning: $0) }
        }.get()
        return existed ? .deleted : .unknown
    }
}
