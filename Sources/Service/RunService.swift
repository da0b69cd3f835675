internal import DequeModule
internal import Execution
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
    private let store: any RunStore
    private let concurrency: Int
    private let queueLimit: Int
    private let enforcement: Enforcement
    private let logger: Logger

    private var ids = RunIDGenerator()
    private var queue: Deque<(id: RunID, specification: RunSpecification)> = []
    private var queuedBytes = 0
    private var active: [RunID: ActiveRun] = [:]
    private var waiters: [RunID: [Waiter]] = [:]
    private var isAccepting = true
    private var whenIdle: [@Reactor () -> Void] = []

    /// A service that runs nothing yet.
    ///
    /// - Parameters:
    ///   - launcher: who makes the sandboxes.
    ///   - store: who remembers the runs.
    ///   - concurrency: how many commands run at once.
    ///   - queueLimit: how many runs may wait.
    ///   - enforcement: by what limits are enforced on this host.
    ///   - logger: what an operator reads.
    public init(
        launcher: Launcher,
        store: any RunStore,
        concurrency: Int,
        queueLimit: Int = 10_000,
        enforcement: Enforcement,
        logger: Logger
    ) {
        self.launcher = launcher
        self.store = store
        self.concurrency = concurrency
        self.queueLimit = queueLimit
        self.enforcement = enforcement
        self.logger = logger
    }

    // MARK: Clients

    /// Accepts a run.
    ///
    /// It is started when its turn comes, which may be at once.
    public func submit(_ specification: RunSpecification) throws(SubmissionError) -> Run {
        guard isAccepting, launcher.isRunning else { throw .notAccepting }
        let size = Self.size(of: specification)
        let mustWait = active.count >= concurrency
        guard !mustWait || (queue.count < queueLimit && queuedBytes + size <= Self.queuedBytesLimit) else {
            throw .queueFull(waiting: queue.count)
        }
        let now = Timestamp.now
        let id = ids.next(now: now)
        // Input and environment are the command's alone: what is remembered of the run does without them.
        var remembered = specification
        remembered.standardInput = []
        remembered.environment = [:]
        let run = Run(
            id: id,
            specification: remembered,
            enforcement: enforcement.with(specification.network),
            createdAt: now
        )
        store.insert(run)
        queue.append((id, specification))
        queuedBytes += size
        startWaiting()
        return store.run(id) ?? run
    }

    /// What is known of a run; of one that is running also what it has written so far.
    public func run(_ id: RunID) -> Run? {
        guard var run = store.run(id) else { return nil }
        active[id]?.showOutput(in: &run)
        return run
    }

    /// Whether there is a run of that name, without copying it.
    public func knows(_ id: RunID) -> Bool { store.contains(id) }

    /// Waits for a run to finish.
    ///
    /// - Parameters:
    ///   - id: the run; if it has finished, or is not known, there is nothing to wait for.
    ///   - duration: how long at most.
    ///   - completion: called once unless cancelled: with the finished run, or with `nil` when the time is over.
    /// - Returns: whoever waits, or `nil` if there is nothing to wait for.
    public func wait(
        for id: RunID,
        atMost duration: Duration,
        completion: @escaping @Reactor (Run?) -> Void
    ) -> Waiter? {
        guard let run = store.run(id), run.state != .finished else { return nil }
        let waiter = Waiter(until: .now.advanced(by: duration), completion: completion)
        // Those who went away are forgotten here, so that polling for ever does not gather them.
        waiters[id] = (waiters[id] ?? []).filter(\.isWaiting) + [waiter]
        return waiter
    }

    /// Accepts nothing more, cancels what waits and what runs, and answers everybody who waits for it.
    ///
    /// - Parameter completion: called when no command is left.
    public func stop(_ completion: @escaping @Reactor () -> Void) {
        isAccepting = false
        whenIdle.append(completion)
        let waiting = queue
        queue = []
        queuedBytes = 0
        for (id, _) in waiting { finish(id, .cancelled(nil), usage: nil) }
        for run in active.values { run.execution?.cancel() }
        reportIdle()
    }

    // MARK: Running

    private func startWaiting() {
        while active.count < concurrency, let next = queue.popFirst() {
            queuedBytes -= Self.size(of: next.specification)
            start(next.id, next.specification)
        }
    }

    private func start(_ id: RunID, _ specification: RunSpecification) {
        change(id) { $0.becomeRunning() }
        let run = ActiveRun(
            standardOutput: store.recorder(for: id, .standardOutput),
            standardError: store.recorder(for: id, .standardError)
        )
        let observer = Execution.Observer(
            started: { [weak self] in self?.change(id) { $0.commandStarted(at: .now) } },
            output: { stream, part in run.keep(part, of: stream) },
            ended: { [weak self] conclusion in self?.ended(id, conclusion) }
        )
        do {
            active[id] = run
            run.execution = try Execution(specification, on: launcher, observer: observer)
        } catch {
            active[id] = nil
            finish(id, .internalError(error), usage: nil)
        }
    }

    private func ended(_ id: RunID, _ conclusion: Conclusion) {
        let run = active.removeValue(forKey: id)
        for failure in run?.failures ?? [] {
            logger.error("output of a run could not be kept", metadata: ["run": "\(id)", "error": "\(failure)"])
        }
        change(id) { run?.showOutput(in: &$0) }
        // They refer to each other until here.
        run?.execution = nil
        finish(id, conclusion.outcome, usage: conclusion.usage)
        startWaiting()
        reportIdle()
    }

    private func finish(_ id: RunID, _ outcome: Outcome, usage: Usage?) {
        if case .internalError(let failure) = outcome {
            logger.error("a run failed inside the service", metadata: ["run": "\(id)", "error": "\(failure)"])
        }
        change(id) { $0.finish(Run.Result(outcome: outcome, usage: usage, finishedAt: .now)) }
        let waiting = waiters.removeValue(forKey: id) ?? []
        let run = store.run(id)
        for waiter in waiting { waiter.complete(run) }
    }

    private static func size(of specification: RunSpecification) -> Int {
        specification.environment.reduce(specification.standardInput.count) {
            $0 + $1.key.utf8.count + $1.value.utf8.count
        }
            + specification.command.reduce(0) { $0 + $1.utf8.count }
    }

    private func change(_ id: RunID, _ body: (inout Run) -> Void) {
        guard var run = store.run(id) else { return }
        body(&run)
        store.update(run)
    }

    private func reportIdle() {
        guard active.isEmpty else { return }
        let completions = whenIdle
        whenIdle = []
        for completion in completions { completion() }
    }
}
