internal import Reactor
internal import Runs
internal import Sandbox

/// The life of one run as a pure state machine: events in, actions out.
///
/// It reads no clock and makes no system call.
///
/// Every path ends in exactly one `.conclude`, and only a report of the slot leads there: timers and cancels ask for an end,
/// they never declare one.
struct RunMachine {
    enum Event {
        /// The slot's report.
        case report(SlotReport)
        /// Somebody wants it to end: the deadline, a client, an output limit.
        case stop(StopReason)
        /// The grace period is over.
        case graceIsOver
        /// The slot has not answered for too long.
        case slotIsSilent
    }

    enum Action: Hashable {
        /// Call `stop(.timedOut)` at this time.
        case armDeadline(MonotonicTime)
        /// Send SIGTERM to everything in the slot.
        case terminate
        /// Call `graceIsOver` so much later.
        case armGrace(Duration)
        /// Send SIGKILL to everything in the slot.
        case kill
        /// Call `slotIsSilent` after a while.
        case armBackstop
        /// Kill the slot itself, from outside.
        case destroySlot
        /// It is over.
        case conclude(Outcome, CommandEnd?)
    }

    private enum State {
        /// The slot knows what to run; execve(2) has not succeeded yet.
        case starting
        /// The command runs.
        case running
        /// SIGTERM was sent; SIGKILL follows when the grace period is over.
        case terminating(StopReason)
        /// SIGKILL was sent.
        case killing(StopReason)
        /// The slot never started the command and is being destroyed.
        case givingUp
        /// Concluded.
        case over
    }

    private var state = State.starting
    private var hasStarted = false
    private let timeout: Duration
    private let grace: Duration

    init(timeout: Duration, grace: Duration) {
        self.timeout = timeout
        self.grace = grace
    }

    mutating func handle(_ event: Event) -> [Action] {
        switch event {
        case .report(let report): handle(report)
        case .stop(let reason): stop(reason)
        case .graceIsOver: graceIsOver()
        case .slotIsSilent: slotIsSilent()
        }
    }

    private mutating func handle(_ report: SlotReport) -> [Action] {
        if case .over = state { return [] }
        switch report {
        case .started(let time):
            // Somebody may have stopped it before it started.
            if case .starting = state { state = .running }
            hasStarted = true
            return [.armDeadline(time.advanced(by: timeout))]
        case .ended(let end):
            return conclude(Verdict.outcome(of: end, reason: stopReason), end)
        case .failed(let failure):
            return conclude(Verdict.outcome(of: failure), nil)
        case .outOfMemory:
            var isInGrace = false
            if case .terminating = state { isInGrace = true }
            return conclude(Verdict.outcomeOutOfMemory(reason: stopReason, isInGrace: isInGrace), nil)
        case .vanished:
            return conclude(Verdict.outcomeWithoutRecord(reason: stopReason, started: hasStarted), nil)
        }
    }

    private mutating func stop(_ reason: StopReason) -> [Action] {
        switch state {
        case .starting, .running:
            // A command that floods its output is given no grace.
            guard grace > .zero, reason != .outputLimit else { return kill(reason) }
            state = .terminating(reason)
            return [.terminate, .armGrace(grace)]
        case .terminating, .killing, .givingUp, .over:
            // The first reason is the one that counts.
            return []
        }
    }

    private mutating func graceIsOver() -> [Action] {
        guard case .terminating(let reason) = state else { return [] }
        return kill(reason)
    }

    private mutating func slotIsSilent() -> [Action] {
        switch state {
        case .starting:
            state = .givingUp
            return [.destroySlot]
        case .killing: return [.destroySlot]
        case .running, .terminating, .givingUp, .over: return []
        }
    }

    private mutating func kill(_ reason: StopReason) -> [Action] {
        state = .killing(reason)
        return [.kill, .armBackstop]
    }

    private mutating func conclude(_ outcome: Outcome, _ end: CommandEnd?) -> [Action] {
        state = .over
        return [.conclude(outcome, end)]
    }

    private var stopReason: StopReason? {
        switch state {
        case .terminating(let reason), .killing(let reason): reason
        case .starting, .running, .givingUp, .over: nil
        }
    }
}
