import Glibc
import RunModel
import Sandbox
import TestSupport
import Testing

@testable import Execution

/// Tests with random events: any order of events ends a run once, with a report of its slot, for the first reason.
@Suite struct RunMachinePropertyTests {
    @Test(arguments: 0..<20 as Range<UInt64>)
    func `random events conclude a run once, by a report, for the first reason`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let grace = Bool.random(using: &generator) ? Duration.zero : .seconds(1)
            var machine = RunMachine(timeout: .seconds(1), grace: grace)
            var observed = Observed()
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let event = Self.randomEvent(using: &generator)
                try observed.check(event, machine.handle(event))
            }
            try observed.check(.report(.vanished), machine.handle(.report(.vanished)))
            try #require(observed.isOver)
        }
    }

    /// The outside view of a run.
    private struct Observed {
        var isOver = false
        private var firstReason: StopReason?
        private var isGivenUp = false
        private var isStarted = false
        private var killed = false

        mutating func check(_ event: RunMachine.Event, _ actions: [RunMachine.Action]) throws {
            if isOver {
                try #require(actions == [])
                return
            }
            let conclusions = actions.filter { if case .conclude = $0 { true } else { false } }
            let isFinal = isFinal(event) || (event.isSilence && isGivenUp)
            try #require(conclusions.count == (isFinal ? 1 : 0), "\(event): \(actions)")
            if case .stop(let reason) = event, firstReason == nil, !isGivenUp { firstReason = reason }
            if actions.contains(.kill) {
                try #require(!killed, "a run is killed once")
                killed = true
            }
            if case .slotIsSilent = event, actions == [.destroySlot, .armBackstop], firstReason == nil {
                isGivenUp = true
            }
            if case .report(.started) = event { isStarted = true }
            guard case .conclude(let outcome, let end) = conclusions.first else { return }
            isOver = true
            try #require(actions.count == 1)
            try checkReason(event, outcome, end)
        }

        private func checkReason(_ event: RunMachine.Event, _ outcome: Outcome, _ end: ExitRecord?) throws {
            switch event {
            case .report(.ended(let record)):
                try #require(end == record)
                try #require(outcome == Verdict.outcome(of: record, reason: firstReason))
            case .report(.failed(let failure)):
                try #require(outcome == Verdict.outcome(of: failure))
            case .report(.outOfMemory):
                try #require(outcome == .memoryLimit || outcome.name == reasonName)
            default:
                if isGivenUp { return try #require(outcome == Verdict.outcomeOfSilentStart) }
                try #require(outcome == Verdict.outcomeWithoutRecord(reason: firstReason, started: isStarted))
            }
        }

        private var reasonName: String? {
            firstReason.map { Verdict.outcomeOutOfMemory(reason: $0, isInGrace: true).name }
        }

        private func isFinal(_ event: RunMachine.Event) -> Bool {
            switch event {
            case .report(.ended), .report(.failed), .report(.outOfMemory), .report(.vanished): true
            case .report(.started), .stop, .graceIsOver, .slotIsSilent: false
            }
        }
    }

    private static func randomEvent(using generator: inout SeededGenerator) -> RunMachine.Event {
        let reasons: [StopReason] = [.timedOut, .cancelled, .outputLimit]
        switch Int.random(in: 0..<17, using: &generator) {
        case 0..<4: return .started
        case 4..<9: return .stop(reasons[Int.random(in: 0..<3, using: &generator)])
        case 9..<11: return .graceIsOver
        case 11..<13: return .slotIsSilent
        case 13: return .report(.failed(SetupFailure(step: .exec, number: ENOENT)))
        case 14:
            let statuses: [Int32] = [0, 137 << 8, SIGKILL, SIGTERM]
            return .report(
                .ended(
                    .make(
                        statuses[Int.random(in: 0..<4, using: &generator)],
                        terminated: .random(using: &generator),
                        killed: .random(using: &generator)
                    )
                )
            )
        case 15: return .report(.outOfMemory(.make()))
        default: return .report(.vanished)
        }
    }
}

extension RunMachine.Event {
    fileprivate var isSilence: Bool { if case .slotIsSilent = self { true } else { false } }
}
