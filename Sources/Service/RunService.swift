internal import CoreMetrics
internal import Digests
internal import Execution
public import Identity
public import Logging
public import Reactor
public import Runs
public import Sandbox
public import Store

/// Accepts runs, starts them in order, at most so many at once, and remembers how they ended.
@Reactor
public final class RunService {
    /// Memory for what waiting commands will be given, most of it their input.
    private static let queuedBytesLimit = 512 << 20

    private let launcher: Launcher
    let store: RunStore
    private let limits: ServiceLimits
    private let enforcement: Enforcement
    let logger: Logger
    let metrics: ServiceMetrics
    private let readiness: ReadinessCheck
    let collector: ArtifactCollector
    private var refusals: RefusalLog

    private var ids: RunIDGenerator
    private var queue = FairQueue<QueuedRun>()
    private var queuedBytes = 0
    private var activeOf: [String: Int] = [:]
    /// What each principal may have, where that is not what everybody may.
    private var principals: [String: PrincipalLimits] = [:]
    private var rates = RateLimiter()
    private var confirmations = Meetings<RunID, StoreError?>()
    private var whenIdle: [@Reactor () -> Void] = []

    // What those look at who read (RunService+Reading.swift).
    var active: [RunID: ActiveRun] = [:]
    var waiters: [RunID: [Waiter]] = [:]
    /// Runs that somebody follows and that are not finished.
    var followed: [RunID: FollowedRun] = [:]
    private(set) var phase = Phase.serving

    // Of those who are answered with an earlier run (RunService+Earlier.swift).
    var keys = RecentKeys()
    var keyMeetings = Meetings<RecentKeys.Name, Result<KeyUse, SubmissionError>>()
    var shared = SharedRuns()
    var cacheMeetings = Meetings<SharedRuns.Name, Result<Run, SubmissionError>>()

    enum Phase {
        case serving
        /// Nothing is accepted and nothing is begun any more.
        case draining
    }

    /// A service that goes on with what the one before it had accepted.
    ///
    /// - Parameters:
    ///   - launcher: who makes the sandboxes.
    ///   - store: who remembers the runs.
    ///   - limits: how much it takes on.
    ///   - enforcement: by what limits are enforced on this host.
    ///   - logger: what an operator reads.
    ///   - metrics: what is counted.
    public init(
        launcher: Launcher,
        store: RunStore,
        limits: ServiceLimits,
        enforcement: Enforcement,
        logger: Logger,
        metrics: ServiceMetrics = ServiceMetrics()
    ) {
        self.launcher = launcher
        self.store = store
        self.limits = limits
        self.enforcement = enforcement
        self.logger = logger
        self.metrics = metrics
        collector = ArtifactCollector(store.blobs, limits.artifacts)
        readiness = ReadinessCheck(launcher: launcher, store: store)
        refusals = RefusalLog(logger)
        ids = RunIDGenerator(after: store.newest)
        store.start()
        store.whenForgotten { [weak self] ids in Task { @Reactor in self?.forget(ids) } }
        recover()
    }

    private func recover() {
        metrics.finished("lost", count: store.lostCount)
        let now = Timestamp.now
        for (stored, request) in store.queued {
            let waited = max(now.millisecondsSince1970 - stored.run.createdAt.millisecondsSince1970, 0)
            enqueue(
                QueuedRun(
                    id: stored.run.id,
                    principal: stored.principal,
                    request: request,
                    since: .now,
                    before: .milliseconds(waited)
                )
            )
        }
        startWaiting()
    }

    // MARK: Clients

    /// Takes note of who there is and what each may have; what runs or waits already is not touched.
    public func admit(_ principals: [Principal]) {
        self.principals = Dictionary(principals.map { ($0.name, $0.limits) }) { first, _ in first }
        rates.keep(only: Set(self.principals.keys))
        // Somebody may have more than before.
        startWaiting()
    }

    /// Counts one more run that a principal asks for, whatever becomes of it; `nil` if it may ask for as many as it likes.
    public func countRequest(of principal: Principal) -> RateState? {
        guard let quota = limits(of: principal.name).runsPerMinute else { return nil }
        return rates.take(of: principal.name, quota: quota, at: .now)
    }

    /// What a principal may have.
    public func limits(of principal: String) -> PrincipalLimits {
        (principals[principal] ?? PrincipalLimits()).over(limits.principal)
    }

    /// Whether runs are accepted.
    public var isAccepting: Bool { phase == .serving && launcher.isRunning && store.failure == nil }

    /// Finds out whether a run could be started and remembered now.
    ///
    /// - Parameter completion: called with what is in the way, within some seconds; empty: nothing is.
    public func checkReadiness(_ completion: @escaping @Reactor ([ReadinessFault]) -> Void) {
        guard phase == .serving else { return completion([.stopping]) }
        readiness.check(completion)
    }

    /// Has the meters say how things stand at this moment.
    public func publishLevels() {
        metrics.running.set(active.count)
        metrics.queueDepth.set(queue.count)
        metrics.slotsReady.set(launcher.readySlots)
    }

    /// Takes note of a refusal.
    func refused(_ error: SubmissionError) -> SubmissionError {
        metrics.refused(error)
        refusals.note(error)
        return error
    }

    /// Accepts a run.
    ///
    /// It is started when its turn comes, which may be at once. It is a promise once ``confirm(_:_:)`` says so.
    ///
    /// - Parameters:
    ///   - specification: what to run.
    ///   - principal: whose it is.
    ///   - key: the key that stands for it from then on.
    ///   - traceID: the trace that it was asked for in, for the log.
    ///   - seesAllBlobs: whether it may be given blobs that are not the principal's own.
    /// - Returns: the run.
    /// - Throws: why it is not accepted.
    public func submit(
        _ specification: RunSpecification,
        of principal: String = "",
        key: IdempotencyKey? = nil,
        traceID: String? = nil,
        seesAllBlobs: Bool = true
    ) throws(SubmissionError) -> Run {
        guard phase == .serving, launcher.isRunning else { throw .notAccepting }
        if let failure = store.failure { throw .notStored(failure) }
        let now = Timestamp.now
        let run = QueuedRun(
            id: ids.next(now: now),
            principal: principal,
            request: specification,
            since: .now,
            before: .zero,
            traceID: traceID
        )
        let own = limits(of: principal)
        let mayStart = (activeOf[principal] ?? 0) < own.concurrency ?? .max
        if !mayStart || active.count >= limits.concurrency, let most = own.queued, queue.count(of: principal) >= most {
            throw .tooManyWaiting(most: most)
        }
        let mustWait = !mayStart || active.count >= limits.concurrency
        guard !mustWait || (queue.count < limits.queued && queuedBytes + run.bytes <= Self.queuedBytesLimit) else {
            throw .queueFull(waiting: queue.count)
        }
        if !specification.blobs.isEmpty {
            let digests = specification.blobs.compactMap { SHA256Digest(hexadecimal: $0) }
            let missing = store.blobs.hold(digests, by: run.id, for: seesAllBlobs ? nil : principal, owner: principal)
            guard missing.isEmpty else { throw .missingBlobs(missing.map(\.hexadecimal)) }
        }
        // Input, files and environment are the command's alone, and what is to be kept is told by what was kept: what is
        // remembered of the run does without them.
        var remembered = specification
        remembered.standardInput = .empty
        remembered.files = []
        remembered.artifacts = []
        remembered.environment = [:]
        remembered.trace = nil
        let new = Run(
            id: run.id,
            specification: remembered,
            enforcement: enforcement(of: specification),
            createdAt: now
        )
        store.insert(new, specification, of: principal, key: key.map { KeyUse($0, for: run.id, since: now) })
        // At once, so that it is not run again should this service be killed while it runs.
        if key != nil { confirm(run.id) { _ in } }
        metrics.accepted.increment()
        enqueue(run)
        startWaiting()
        return store.run(run.id)?.run ?? new
    }

    /// Waits until a run that was accepted is remembered whatever becomes of this service.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - completion: called with why it cannot be remembered; the run is not one then.
    public func confirm(_ id: RunID, _ completion: @escaping @Reactor (StoreError?) -> Void) {
        guard confirmations.isFirst(id, otherwise: completion) else { return }
        store.confirm(id) { [self] error in
            Task { @Reactor in
                // Whoever waits for it hears of that as long as this is not over.
                if let error {
                    abandon(id)
                    _ = refused(.notStored(error))
                }
                completion(error)
                for listener in confirmations.end(id) { listener(error) }
            }
        }
    }

    /// Ends a run: one that waits at once, one that runs as at its deadline.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - principal: who wants it; somebody else's run is none.
    ///   - completion: called with what came of it.
    public func cancel(
        _ id: RunID,
        by principal: Principal = .everybody,
        _ completion: @escaping @Reactor (Result<CancelAnswer, StoreError>) -> Void
    ) {
        guard let stored = store.run(id), Self.sees(principal, stored), stored.run.state != .finished else {
            return find(id, for: principal) { completion($0.map { $0.map(CancelAnswer.finished) ?? .unknown }) }
        }
        if let run = active[id] {
            run.cancel()
        } else if let run = queue.remove(of: stored.principal, where: { $0.id == id }) {
            queuedBytes -= run.bytes
            finish(id, .cancelled(nil), usage: nil)
        }
        completion(.success(.accepted(run(id) ?? stored.run)))
    }

    /// Forgets a finished run and its output.
    ///
    /// - Parameters:
    ///   - id: the run.
    ///   - principal: who wants it; somebody else's run is none.
    ///   - completion: called with what came of it.
    public func forget(
        _ id: RunID,
        by principal: Principal = .everybody,
        _ completion: @escaping @Reactor (ForgetAnswer) -> Void
    ) {
        find(id, for: principal) { [self] result in
            switch result {
            case .failure(let error): completion(.failed(error))
            case .success(nil): completion(.unknown)
            case .success(let run?) where run.state != .finished: completion(.unfinished)
            case .success: forgetFinished(id, completion)
            }
        }
    }

    private func forgetFinished(_ id: RunID, _ completion: @escaping @Reactor (ForgetAnswer) -> Void) {
        store.forget(id) { result in
            Task { @Reactor in
                switch result {
                case .success(let wasThere): completion(wasThere ? .forgotten : .unknown)
                case .failure(let error): completion(.failed(error))
                }
            }
        }
    }

    // MARK: The end

    /// Accepts nothing more, lets what runs go on for a while and then cancels it, and answers everybody who waits for it.
    ///
    /// What waits for its turn keeps waiting: for the next start if the store outlives this service.
    ///
    /// - Parameters:
    ///   - patience: how long what runs may go on.
    ///   - keepsQueue: whether what waits is left for the next start; otherwise it is cancelled.
    ///   - completion: called when no command is left.
    public func stop(
        after patience: Duration = .zero,
        keepsQueue: Bool = false,
        _ completion: @escaping @Reactor () -> Void
    ) {
        whenIdle.append(completion)
        if phase == .serving {
            phase = .draining
            let waiting = queue.removeAll()
            queuedBytes = 0
            for run in waiting {
                guard keepsQueue else {
                    finish(run.id, .cancelled(nil), usage: nil)
                    continue
                }
                for waiter in waiters.removeValue(forKey: run.id) ?? [] { waiter.complete(nil) }
            }
        }
        if patience > .zero, !active.isEmpty {
            _ = Reactor.schedule(at: .now.advanced(by: patience)) { [weak self] in self?.cancelActive() }
        } else {
            cancelActive()
        }
        reportIdle()
    }

    private func cancelActive() {
        for run in active.values { run.cancel() }
    }

    func reportIdle() {
        guard active.isEmpty, phase == .draining else { return }
        let completions = whenIdle
        whenIdle = []
        for completion in completions { completion() }
    }

    // MARK: Running

    private func enqueue(_ run: QueuedRun) {
        queue.append(run, of: run.principal)
        queuedBytes += run.bytes
    }

    func startWaiting() {
        // Without the launcher nothing begins any more: what waits is for the next start, and no failure.
        while phase == .serving, launcher.isRunning, active.count < limits.concurrency {
            let next = queue.popFirst { (activeOf[$0] ?? 0) < limits(of: $0).concurrency ?? .max }
            guard let next else { return }
            queuedBytes -= next.bytes
            start(next)
        }
    }

    private func start(_ queued: QueuedRun) {
        let id = queued.id
        change(id) { $0.becomeRunning() }
        let run = ActiveRun(
            queued,
            standardOutput: store.recorder(for: id, .standardOutput),
            standardError: store.recorder(for: id, .standardError)
        )
        let observer = Execution.Observer(
            started: { [weak self] in self?.change(id) { $0.commandStarted(at: .now) } },
            output: { stream, part in run.keep(part, of: stream) },
            ended: { [weak self] conclusion in self?.ended(id, conclusion, queued.request.artifacts) }
        )
        metrics.queueWait.recordNanoseconds(run.queued.wholeNanoseconds)
        do {
            active[id] = run
            followed[id]?.begin(run)
            activeOf[run.principal, default: 0] += 1
            run.execution = try Execution(
                queued.request,
                on: launcher,
                blob: { [store] digest in
                    let found = SHA256Digest(hexadecimal: digest).flatMap { store.blobs.find($0, for: nil) }
                    return found.map { BlobFile(path: $0.path, bytes: $0.bytes) }
                },
                observer: observer
            )
        } catch {
            remove(id)
            finish(id, .internalError(error), usage: nil)
        }
    }

    @discardableResult
    func remove(_ id: RunID) -> ActiveRun? {
        guard let run = active.removeValue(forKey: id) else { return nil }
        let others = (activeOf[run.principal] ?? 1) - 1
        activeOf[run.principal] = others > 0 ? others : nil
        return run
    }

    /// A run whose client is told that it was not accepted.
    private func abandon(_ id: RunID) {
        guard let stored = store.run(id) else { return }
        if let run = queue.remove(of: stored.principal, where: { $0.id == id }) { queuedBytes -= run.bytes }
        active[id]?.cancel()
        store.abandon(id)
        keys.remove(of: id)
        shared.remove(id)
        for waiter in waiters.removeValue(forKey: id) ?? [] { waiter.complete(nil) }
        followed.removeValue(forKey: id)?.vanish()
    }

    private func forget(_ ids: [RunID]) { store.drop(ids) }

    func change(_ id: RunID, order: OutputOrder? = nil, _ body: (inout Run) -> Void) {
        guard var run = store.run(id)?.run else { return }
        body(&run)
        store.update(run, order: order ?? OutputOrder())
        if !followed.isEmpty { followed[id]?.change(to: run) }
    }

    func enforcement(of specification: RunSpecification) -> Enforcement {
        enforcement.with(specification.network)
    }
}
