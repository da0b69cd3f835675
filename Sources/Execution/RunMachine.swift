internal import RunModel
internal import Sandbox
internal import System

/// The reason for which this service ends a run.
package enum StopReason: Sendable, Hashable {
    /// The deadline has passed.
    case timedOut
    /// The run exceeded its output limit, and its specification demands its end in that case.
    case outputLimit
    /// A client cancelled the run, or the service is stopping.
    case cancelled
}

/// The life of one run as a pure state machine: events in, actions out.
///
/// The machine reads no clock and makes no system call. Every path ends in exactly one `.conclude`, and only a report
/// of the slot leads there. Timers and cancellations request an end; they never declare one.
struct RunMachine {
    enum Event {
        /// A report from the slot.
        case report(SlotReport)
        /// A request to end the run, from the deadline, a client or an output limit.
        case stop(StopReason)
        /// The grace period is over.
        case graceIsOver
        /// The slot has been silent for too long.
        case slotIsSilent
    }

    enum Action: Hashable {
        /// Schedule `.stop(.timedOut)` for this time.
        case armDeadline(MonotonicTime)
        /// Send SIGTERM to every process in the slot.
        case terminate
        /// Schedule `.graceIsOver` after this time.
        case armGrace(Duration)
        /// Send SIGKILL to every process in the slot.
        case kill
        /// Schedule `.slotIsSilent`.
        case armBackstop
        /// Kill the slot itself from outside.
        case destroySlot
        /// Report the outcome: the run is over.
        case conclude(Outcome, ExitRecord?)
    }

    private enum State {
        /// The slot has its command, but execve(2) has not succeeded yet.
        case starting
        /// The command is running.
        case running
        /// SIGTERM was sent, and SIGKILL follows at the end of the grace period.
        case terminating(StopReason)
        /// SIGKILL was sent.
        case killing(StopReason)
        /// The slot never started the command and is being destroyed.
        case givingUp
        /// The outcome has been reported.
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
            // A stop request may have arrived before the start.
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
            if case .givingUp = state { return conclude(Verdict.outcomeOfSilentStart, nil) }
            return conclude(Verdict.outcomeWithoutRecord(reason: stopReason, started: hasStarted), nil)
        }
    }

    private mutating func stop(_ reason: StopReason) -> [Action] {
        switch state {
        case .starting, .running:
            // A command that floods its output gets no grace period.
            guard grace > .zero, reason != .outputLimit else { return kill(reason) }
            state = .terminating(reason)
            return [.terminate, .armGrace(grace)]
        case .terminating, .killing, .givingUp, .over:
            // The first reason counts.
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
            return [.destroySlot, .armBackstop]
        // The launcher does not even report the slot as gone.
        case .givingUp: return conclude(Verdict.outcomeOfSilentStart, nil)
        case .killing: return [.destroySlot]
        case .running, .terminating, .over: return []
        }
    }

    private mutating func kill(_ reason: StopReason) -> [Action] {
        state = .killing(reason)
        return [.kill, .armBackstop]
    }

    private mutating func conclude(_ outcome: Outcome, _ end: ExitRecord?) -> [Action] {
        state = .over
        return [.conclude(outcome, end)]
    }

    /// A Boolean value that indicates whether the command has not started, and nothing has asked for its end.
    var isStarting: Bool {
        if case .starting = state { true } else { false }
    }

    private var stopReason: StopReason? {
        switch state {
        case .terminating(let reason), .killing(let reason): reason
        case .starting, .running, .givingUp, .over: nil
        }
    }
}
