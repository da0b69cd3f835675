import Glibc
import Reactor
import RunModel
import Sandbox
import System
import Testing

@testable import Execution

@Suite struct RunMachineTests {
    /// A state, described by the events that lead to it.
    enum State: CaseIterable, Sendable {
        case starting, running, terminating, killing, givingUp, over

        var machine: RunMachine {
            var machine = RunMachine(timeout: .seconds(1), grace: .seconds(5))
            for event in path { _ = machine.handle(event) }
            return machine
        }

        private var path: [RunMachine.Event] {
            switch self {
            case .starting: []
            case .running: [.started]
            case .terminating: [.started, .stop(.timedOut)]
            case .killing: [.started, .stop(.timedOut), .graceIsOver]
            case .givingUp: [.slotIsSilent]
            case .over: [.report(.vanished)]
            }
        }
    }

    /// The effect of an event in a state: its actions and the next state.
    typealias Row = (state: State, event: RunMachine.Event, actions: [RunMachine.Action], next: State)

    private static let deadline = RunMachine.Action.armDeadline(MonotonicTime(nanoseconds: 1_000_001_000))
    private static let exit = ExitRecord.make(7 << 8)
    private static let sigkill = Termination.signal(Signal(number: 9, name: "SIGKILL"))
    private static let lost = Verdict.outcomeWithoutRecord(reason: nil)
    private static let noExec = SetupFailure(step: .exec, number: ENOENT)
    private static let notStarted = RunMachine.Action.conclude(Verdict.outcome(of: noExec), nil)
    private static let silent = RunMachine.Action.conclude(Verdict.outcomeOfSilentStart, nil)
    private static let outOfMemory = SlotReport.outOfMemory(SlotUsage.make())
    private static let exited = RunMachine.Action.conclude(.exited(code: 7), exit)

    static let table: [Row] = [
        (.starting, .started, [deadline], .running),
        (.starting, .report(.ended(exit)), [exited], .over),
        (.starting, .report(.failed(noExec)), [notStarted], .over),
        (.starting, .report(outOfMemory), [.conclude(.memoryLimit, nil)], .over),
        (.starting, .report(.vanished), [.conclude(lost, nil)], .over),
        (.starting, .stop(.timedOut), [.terminate, .armGrace(.seconds(5))], .terminating),
        (.starting, .graceIsOver, [], .starting),
        (.starting, .slotIsSilent, [.destroySlot, .armBackstop], .givingUp),

        (.running, .started, [deadline], .running),
        (.running, .report(.ended(exit)), [exited], .over),
        (.running, .report(.failed(noExec)), [notStarted], .over),
        (.running, .report(outOfMemory), [.conclude(.memoryLimit, nil)], .over),
        (.running, .report(.vanished), [.conclude(lost, nil)], .over),
        (.running, .stop(.timedOut), [.terminate, .armGrace(.seconds(5))], .terminating),
        (.running, .graceIsOver, [], .running),
        (.running, .slotIsSilent, [], .running),

        (.terminating, .started, [deadline], .terminating),
        (.terminating, .report(.ended(exit)), [exited], .over),
        (.terminating, .report(.failed(noExec)), [notStarted], .over),
        (.terminating, .report(outOfMemory), [.conclude(.timedOut(sigkill), nil)], .over),
        (.terminating, .report(.vanished), [.conclude(.timedOut(sigkill), nil)], .over),
        (.terminating, .stop(.cancelled), [], .terminating),
        (.terminating, .stop(.outputLimit), [], .terminating),
        (.terminating, .graceIsOver, [.kill, .armBackstop], .killing),
        (.terminating, .slotIsSilent, [], .terminating),

        (.killing, .started, [deadline], .killing),
        (.killing, .report(.ended(exit)), [exited], .over),
        (.killing, .report(.failed(noExec)), [notStarted], .over),
        (.killing, .report(outOfMemory), [.conclude(.memoryLimit, nil)], .over),
        (.killing, .report(.vanished), [.conclude(.timedOut(sigkill), nil)], .over),
        (.killing, .stop(.cancelled), [], .killing),
        (.killing, .stop(.outputLimit), [], .killing),
        (.killing, .graceIsOver, [], .killing),
        (.killing, .slotIsSilent, [.destroySlot], .killing),

        (.givingUp, .started, [deadline], .givingUp),
        (.givingUp, .report(.ended(exit)), [exited], .over),
        (.givingUp, .report(.failed(noExec)), [notStarted], .over),
        (.givingUp, .report(outOfMemory), [.conclude(.memoryLimit, nil)], .over),
        (.givingUp, .report(.vanished), [silent], .over),
        (.givingUp, .stop(.timedOut), [], .givingUp),
        (.givingUp, .graceIsOver, [], .givingUp),
        (.givingUp, .slotIsSilent, [silent], .over),

        (.over, .started, [], .over),
        (.over, .report(.ended(exit)), [], .over),
        (.over, .report(.failed(noExec)), [], .over),
        (.over, .report(outOfMemory), [], .over),
        (.over, .report(.vanished), [], .over),
        (.over, .stop(.timedOut), [], .over),
        (.over, .graceIsOver, [], .over),
        (.over, .slotIsSilent, [], .over),
    ]

    @Test(arguments: table.indices)
    func `every event in every state has its actions and its next state`(row: Int) {
        let (state, event, actions, next) = Self.table[row]
        var machine = state.machine
        #expect(machine.handle(event) == actions, "\(state), \(event)")
        // A state shows in the reactions to the next events.
        #expect(Self.behaviour(of: machine) == Self.behaviour(of: next.machine), "\(state), \(event)")
    }

    @Test func `no two states behave alike`() {
        let behaviours = State.allCases.map { Self.behaviour(of: $0.machine) }
        #expect(Set(behaviours).count == State.allCases.count)
    }

    @Test func `without a grace period a stop kills at once`() {
        for reason in [StopReason.timedOut, .cancelled, .outputLimit] {
            var machine = RunMachine(timeout: .seconds(1), grace: .zero)
            #expect(machine.handle(.stop(reason)) == [.kill, .armBackstop])
        }
    }

    @Test func `a command that floods its output gets no grace period`() {
        var machine = State.running.machine
        #expect(machine.handle(.stop(.outputLimit)) == [.kill, .armBackstop])
    }

    @Test func `the deadline counts from the start of the command`() {
        var machine = RunMachine(timeout: .nanoseconds(50), grace: .zero)
        let actions = machine.handle(.report(.started(at: MonotonicTime(nanoseconds: 7))))
        #expect(actions == [.armDeadline(MonotonicTime(nanoseconds: 57))])
    }

    /// A machine's reactions to every event, each from its current state.
    private static func behaviour(of machine: RunMachine) -> [[RunMachine.Action]] {
        let killed = ExitRecord.make(SIGKILL, killed: true)
        let events: [RunMachine.Event] = [
            .started, .report(.ended(exit)), .report(.ended(killed)), .report(.failed(noExec)), .report(.vanished),
            .stop(.timedOut), .stop(.cancelled), .stop(.outputLimit), .graceIsOver, .slotIsSilent,
        ]
        return events.map { event in
            var copy = machine
            return copy.handle(event)
        }
    }
}

extension RunMachine.Event {
    static let started = RunMachine.Event.report(.started(at: MonotonicTime(nanoseconds: 1000)))
}
