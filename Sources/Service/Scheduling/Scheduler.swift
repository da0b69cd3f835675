internal import CoreMetrics
internal import Execution
internal import Identity
internal import Logging
internal import Reactor
internal import RunModel
internal import Sandbox
internal import Store
internal import System

/// Queues runs, starts them within the limits of concurrency, and records how they end.
@ReactorActor
final class Scheduler {
    /// The maximum memory of all queued runs in bytes, most of it input.
    private static let queuedBytesLimit = 512 << 20

    private let launcher: Launcher
    private let store: RunStore
    private let subscriptions: Subscriptions
    private let limits: ServiceLimits
    private let metrics: ServiceMetrics
    private let logger: Logger
    private let collector: ArtifactCollector

    private var queue = FairQueue<QueuedRun>()
    private var queuedBytes = 0
    private var active: [RunID: ActiveRun] = [:]
    private var activeByPrincipal: [String: Int] = [:]
    /// The limits of principals that have limits of their own.
    private var principalLimits: [String: PrincipalLimits] = [:]
    /// True if the service is shutting down: it accepts and starts no more runs.
    private(set) var isDraining = false
    private var drainCompletions: [@ReactorActor () -> Void] = []
    /// Called when a run has finished, before the clients that wait for it get their responses.
    var onFinish: (@ReactorActor (RunID) -> Void)?

    init(
        launcher: Launcher,
        store: RunStore,
        subscriptions: Subscriptions,
        limits: ServiceLimits,
        metrics: ServiceMetrics,
        logger: Logger
    ) {
        (self.launcher, self.store, self.subscriptions) = (launcher, store, subscriptions)
        (self.limits, self.metrics, self.logger) = (limits, metrics, logger)
        collector = ArtifactCollector(store.blobs, limits.artifacts)
    }

    /// Queues the runs that an earlier service accepted and did not start.
    func recover() {
        metrics.finished("lost", count: store.lostCount)
        let now = Timestamp.now
        for (stored, request) in store.queued {
            let waited = max(now.millisecondsSince1970 - stored.run.createdAt.millisecondsSince1970, 0)
            append(
                QueuedRun(
                    id: stored.run.id,
                    principal: stored.principal,
                    request: request,
                    since: .now,
                    before: .milliseconds(waited)
                )
            )
        }
        startQueuedRuns()
    }

    /// Sets the gauges of the queue, the running commands and the ready slots.
    func publishLevels() {
        metrics.running.set(active.count)
        metrics.queueDepth.set(queue.count)
        metrics.slotsReady.set(launcher.readySlots)
    }

    /// Returns a run that is being executed.
    subscript(id: RunID) -> ActiveRun? { active[id] }

    // MARK: Limits

    /// Replaces the limits of principals.
    ///
    /// Runs that are queued or running are not affected.
    func setLimits(of principals: [Principal]) {
        principalLimits = Dictionary(principals.map { ($0.name, $0.limits) }) { first, _ in first }
        // A principal may have a higher limit now.
        startQueuedRuns()
    }

    /// Returns the limits of a principal.
    func limits(of principal: String) -> PrincipalLimits {
        (principalLimits[principal] ?? PrincipalLimits()).withDefaults(limits.principal)
    }

    /// True if a new run can be accepted.
    var isAccepting: Bool { !isDraining && launcher.isRunning }

    private func mayStart(of principal: String) -> Bool {
        (activeByPrincipal[principal] ?? 0) < limits(of: principal).concurrency ?? .max
    }

    /// Checks that a run can start immediately or that the queue has space for it.
    ///
    /// - Throws: `SubmissionError.tooManyWaiting` or `.queueFull`.
    func checkCapacity(for run: QueuedRun) throws(SubmissionError) {
        let startsNow = active.count < limits.concurrency && mayStart(of: run.principal)
        guard !startsNow else { return }
        if let most = limits(of: run.principal).queued, queue.count(of: run.principal) >= most {
            throw .tooManyWaiting(most: most)
        }
        guard queue.count < limits.queued, queuedBytes + run.bytes <= Self.queuedBytesLimit else {
            throw .queueFull(waiting: queue.count)
        }
    }

    // MARK: The queue

    /// Queues a run, and starts it if the limits allow that.
    func enqueue(_ run: QueuedRun) {
        append(run)
        startQueuedRuns()
    }

    private func append(_ run: QueuedRun) {
        queue.append(run, of: run.principal)
        queuedBytes += run.bytes
    }

    /// Removes a run from the queue and returns whether it was queued.
    private func dequeue(_ stored: StoredRun) -> Bool {
        guard let run = queue.remove(of: stored.principal, where: { $0.id == stored.run.id }) else { return false }
        queuedBytes -= run.bytes
        return true
    }

    private func startQueuedRuns() {
        // Without its launcher the service starts no run. The queued runs did not fail: the next service will start
        // them.
        while isAccepting, active.count < limits.concurrency, let next = queue.popFirst(where: { mayStart(of: $0) }) {
            queuedBytes -= next.bytes
            start(next)
        }
    }

    // MARK: Starting

    private func start(_ queued: QueuedRun) {
        let id = queued.id
        // The run stays queued until its command starts. After a crash of the service it is lost from here on, because
        // the command may have started.
        store.prepareStart(id)
        let request = queued.request
        let recorder = { [store] stream in
            store.recorder(for: id, stream, keeping: request.keepOutput, limit: request.limits.outputBytes)
        }
        let run = ActiveRun(
            queued,
            standardOutput: recorder(.standardOutput),
            standardError: recorder(.standardError)
        )
        var observer = RunExecution.Observer(
            started: { [weak self] in self?.update(id) { $0.commandStarted(at: .now) } },
            output: { stream, part in run.record(part, of: stream) },
            ended: { [weak self] result in self?.commandEnded(id, result, request.artifacts) }
        )
        observer.retried = { [metrics] in metrics.slotRetries.increment() }
        observer.wantsExcess = { run.isFollowed }
        observer.excess = { stream, offset, part in run.recordExcess(part, of: stream, at: offset) }
        metrics.queueWait.recordNanoseconds(run.queued.wholeNanoseconds)
        do {
            active[id] = run
            subscriptions.runStarted(id, run)
            activeByPrincipal[run.principal, default: 0] += 1
            run.execution = try RunExecution(
                request,
                on: launcher,
                blob: { [store] digest in
                    let found = SHA256Digest(hexadecimal: digest).flatMap { store.blobs.find($0, for: nil) }
                    return found.map { BlobFile(path: $0.path, bytes: $0.bytes) }
                },
                observer: observer
            )
        } catch {
            removeActive(id)
            finish(id, .internalError(error), usage: nil)
        }
    }

    /// Changes a run in the store and notifies its subscribers.
    private func update(_ id: RunID, order: StreamInterleaving? = nil, _ change: (inout Run) -> Void) {
        guard var run = store.run(id)?.run else { return }
        change(&run)
        store.update(run, interleaving: order ?? StreamInterleaving())
        subscriptions.runChanged(run)
    }

    @discardableResult
    private func removeActive(_ id: RunID) -> ActiveRun? {
        guard let run = active.removeValue(forKey: id) else { return nil }
        let others = (activeByPrincipal[run.principal] ?? 1) - 1
        activeByPrincipal[run.principal] = others > 0 ? others : nil
        return run
    }

    // MARK: Ending

    /// Collects the artifacts of a run whose command has ended, with all its processes, and then finishes the run.
    private func commandEnded(_ id: RunID, _ result: RunResult, _ globs: [Glob]) {
        guard !globs.isEmpty, let run = active[id] else { return finishActive(id, result, .none) }
        guard let files = result.sandboxFiles else {
            return finishActive(id, result, ArtifactCollector.artifactsOfLostSandbox(result.outcome))
        }
        run.collection = collector.collect(files, globs, of: id, owner: run.principal) { [weak self] artifacts in
            self?.finishActive(id, result, artifacts)
        }
    }

    private func finishActive(_ id: RunID, _ result: RunResult, _ artifacts: CollectedArtifacts) {
        let run = removeActive(id)
        metrics.commandEnded(result, spawn: run?.execution?.spawnDuration)
        for failure in run?.failures ?? [] {
            logger.error("output of a run could not be stored", metadata: ["run": "\(id)", "error": "\(failure)"])
        }
        update(id) { run?.copyOutput(to: &$0) }
        run?.end()
        var usage = result.usage
        usage?.queued = run?.queued
        finish(
            id,
            result.outcome,
            usage: usage,
            artifacts,
            order: run?.order,
            cancellation: run?.cancellation,
            traceID: run?.traceID
        )
        // The run was abandoned while its command was running.
        if !artifacts.kept.isEmpty, store.run(id) == nil { store.discard(id) }
        startQueuedRuns()
        completeDrain()
    }

    private func finish(
        _ id: RunID,
        _ outcome: Outcome,
        usage: Usage?,
        _ artifacts: CollectedArtifacts = .none,
        order: StreamInterleaving? = nil,
        cancellation: Cancellation? = nil,
        traceID: String? = nil
    ) {
        if case .internalError(let failure) = outcome {
            logger.error(
                "a run failed because of an internal error",
                metadata: ["run": "\(id)", "error": "\(failure)"]
            )
        }
        let result = Run.Result(
            outcome: outcome,
            usage: usage,
            finishedAt: .now,
            artifacts: artifacts,
            // The command may have ended by itself before.
            cancellation: outcome.kind == .cancelled ? cancellation : nil
        )
        update(id, order: order) { $0.finish(result) }
        onFinish?(id)
        let (waiters, subscription) = subscriptions.removeFinished(id)
        let stored = store.run(id)
        if let stored {
            if let subscription, store.whenPersisted(id, onReactor { subscription.endPersisted() }) {
                subscription.endPersisted()
            }
            metrics.finished(outcome.name)
            logger.debug("run ended", metadata: Self.metadata(stored, usage, traceID))
        }
        for waiter in waiters { waiter.complete(stored?.run) }
    }

    /// Returns the log metadata of a finished run, without its command, its environment and its output.
    private static func metadata(_ stored: StoredRun, _ usage: Usage?, _ traceID: String?) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["run": "\(stored.run.id)"]
        metadata["outcome"] = stored.run.result.map { "\($0.outcome.name)" }
        metadata["seconds"] = usage.map { .stringConvertible($0.wall) }
        if !stored.principal.isEmpty { metadata["principal"] = "\(stored.principal)" }
        metadata["trace"] = traceID.map { "\($0)" }
        return metadata
    }

    // MARK: Cancelling

    /// Cancels a run that is not finished: a queued run finishes immediately, a running one ends as at its deadline.
    func cancel(_ stored: StoredRun, by origin: Cancellation) {
        if let run = active[stored.run.id] {
            run.cancel(by: origin)
        } else if dequeue(stored) {
            finish(stored.run.id, .cancelled(nil), usage: nil, cancellation: origin)
        }
    }

    /// Removes a run from the queue, or ends its command, without a record of its end.
    func withdraw(_ stored: StoredRun) {
        _ = dequeue(stored)
        active[stored.run.id]?.cancel(by: .shutdown)
    }

    // MARK: Draining

    /// Stops accepting and starting runs, and calls the completion when no command is running any more.
    ///
    /// Clients that wait for a run get their responses.
    ///
    /// - Parameters:
    ///   - timeout: the time that running commands may continue before they are cancelled.
    ///   - keepsQueue: whether queued runs stay queued for the next service on the same store. Otherwise they are
    ///     cancelled.
    ///   - completion: called when no command is running.
    func drain(atMost timeout: Duration, keepsQueue: Bool, _ completion: @escaping @ReactorActor () -> Void) {
        drainCompletions.append(completion)
        if !isDraining {
            isDraining = true
            let queued = queue.removeAll()
            queuedBytes = 0
            for run in queued {
                if keepsQueue {
                    subscriptions.endWaiting(for: run.id)
                } else {
                    finish(run.id, .cancelled(nil), usage: nil, cancellation: .shutdown)
                }
            }
        }
        if timeout > .zero, !active.isEmpty {
            _ = ReactorActor.schedule(at: .now.advanced(by: timeout)) { [weak self] in
                self?.cancelActiveRuns(by: .drain)
            }
        } else {
            cancelActiveRuns(by: .shutdown)
        }
        completeDrain()
    }

    private func cancelActiveRuns(by origin: Cancellation) {
        for run in active.values { run.cancel(by: origin) }
    }

    private func completeDrain() {
        guard active.isEmpty, isDraining else { return }
        let completions = drainCompletions
        drainCompletions = []
        for completion in completions { completion() }
    }
}
