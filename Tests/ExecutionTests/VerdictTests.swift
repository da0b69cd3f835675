import Glibc
import RunModel
import Sandbox
import Testing

@testable import Execution

@Suite struct VerdictTests {
    /// An end of a command, as wait(2) reports it, and its name.
    struct End: Sendable, CustomTestStringConvertible {
        let waitStatus: Int32
        let ending: Termination

        var isSIGKILL: Bool { ending.signal?.number == SIGKILL }
        var testDescription: String { "\(ending)" }

        /// The outcome when the command ended by itself.
        var own: Outcome {
            switch ending {
            case .exitCode(let code): .exited(code: code)
            case .signal(let signal): .signaled(signal)
            }
        }

        static let all: [End] =
            [0, 1, 124, 126, 127, 137, 143, 255].map { End(waitStatus: $0 << 8, ending: .exitCode($0)) }
            + [
                (1, "SIGHUP"), (9, "SIGKILL"), (11, "SIGSEGV"), (15, "SIGTERM"), (31, "SIGSYS"), (34, "SIG34"),
                (64, "SIG64"),
            ]
            .map { End(waitStatus: $0.0, ending: .signal(Signal(number: $0.0, name: $0.1))) }
            + [
                End(
                    waitStatus: 6 | 0x80,
                    ending: .signal(Signal(number: 6, name: "SIGABRT", coreDumped: true))
                )
            ]
    }

    /// The party that ended the command, by the signals sent before the record and by the record itself.
    private static let rule: [(terminated: Bool, killed: Bool, endedBySIGKILL: Bool, isOurs: Bool)] = [
        (false, false, false, false),
        (false, false, true, false),
        (false, true, false, false),
        (false, true, true, true),
        (true, false, false, true),
        (true, false, true, true),
        (true, true, false, true),
        (true, true, true, true),
    ]

    @Test(arguments: End.all, rule.indices)
    func `the signals sent and the kernel's record decide the outcome`(end: End, row: Int) {
        let rule = Self.rule[row]
        guard rule.endedBySIGKILL == end.isSIGKILL else { return }
        let record = ExitRecord.make(end.waitStatus, terminated: rule.terminated, killed: rule.killed)
        let ours: [(StopReason, Outcome)] = [
            (.timedOut, .timedOut(end.ending)), (.outputLimit, .outputLimit(end.ending)),
            (.cancelled, .cancelled(end.ending)),
        ]
        for (reason, outcome) in ours {
            #expect(Verdict.outcome(of: record, reason: reason) == (rule.isOurs ? outcome : end.own), "\(reason)")
        }
        #expect(Verdict.outcome(of: record, reason: nil) == end.own)
    }

    @Test(arguments: End.all)
    func `an OOM kill inside the run is the outcome, whatever the command does next`(end: End) {
        for reason in [nil, .timedOut, .cancelled] as [StopReason?] {
            let record = ExitRecord.make(end.waitStatus, killed: true, ranOutOfMemory: true)
            #expect(Verdict.outcome(of: record, reason: reason) == .memoryLimit)
        }
    }

    @Test(arguments: [(SIGKILL, "SIGKILL"), (SIGXCPU, "SIGXCPU")])
    func `a command that was ended for its processor time reached its cpu limit`(
        number: Int32,
        name: String
    ) {
        let outcome = Verdict.outcome(of: .make(number, usedUpProcessorTime: true), reason: nil)
        #expect(outcome == .cpuLimit(Signal(number: number, name: name)))
    }

    @Test func `a command that ends before it is ended for its processor time ends by itself`() {
        #expect(Verdict.outcome(of: .make(3 << 8, usedUpProcessorTime: true), reason: nil) == .exited(code: 3))
    }

    @Test func `processor time used up in the grace period does not change the outcome`() {
        let record = ExitRecord.make(SIGKILL, terminated: true, usedUpProcessorTime: true)
        #expect(Verdict.outcome(of: record, reason: .timedOut) == .timedOut(.signal(.kill)))
    }

    @Test func `an OOM kill without a record is a memory limit, except in a grace period`() {
        #expect(Verdict.outcomeOutOfMemory(reason: nil, isInGrace: false) == .memoryLimit)
        #expect(Verdict.outcomeOutOfMemory(reason: .timedOut, isInGrace: false) == .memoryLimit)
        #expect(Verdict.outcomeOutOfMemory(reason: .timedOut, isInGrace: true) == .timedOut(.signal(.kill)))
    }

    @Test func `without a record, the reason for the kill is the outcome`() {
        let kill = Termination.signal(Signal(number: 9, name: "SIGKILL"))
        #expect(Verdict.outcomeWithoutRecord(reason: .timedOut) == .timedOut(kill))
        #expect(Verdict.outcomeWithoutRecord(reason: .outputLimit) == .outputLimit(kill))
        #expect(Verdict.outcomeWithoutRecord(reason: .cancelled) == .cancelled(kill))
    }

    @Test func `without a record and without a reason, this service failed`() {
        let outcome = Verdict.outcomeWithoutRecord(reason: nil)
        #expect(outcome.name == "internal_error")
        #expect(outcome.failure?.step == "slot")
    }

    @Test(arguments: [ENOENT, EACCES, ENOEXEC, E2BIG, ELOOP, ETXTBSY])
    func `a command that cannot be executed never starts`(number: Int32) {
        let outcome = Verdict.outcome(of: SetupFailure(step: .exec, number: number))
        #expect(outcome.name == "start_failed")
        #expect(outcome.failure?.step == "exec")
        #expect(outcome.exitCode == nil)
    }

    @Test func `a working directory that cannot be entered is reported as such`() {
        let outcome = Verdict.outcome(of: SetupFailure(step: .workingDirectory, number: ENOENT))
        #expect(outcome.name == "start_failed")
        #expect(outcome.failure?.step == "working_directory")
        #expect(outcome.failure?.errno == "ENOENT")
    }

    @Test(arguments: [SetupStep.clone, .scratch, .fork, .standardStreams, .limits, .request, .slot, .launcher])
    func `any other failure is an internal error`(step: SetupStep) {
        let outcome = Verdict.outcome(of: SetupFailure(step: step, number: EAGAIN))
        #expect(outcome.name == "internal_error")
        #expect(outcome.failure?.errno == "EAGAIN")
    }
}
