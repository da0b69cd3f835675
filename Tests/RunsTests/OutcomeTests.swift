import Runs
import Testing

@Suite struct OutcomeTests {
    private static let kill = Signal(number: 9, name: "SIGKILL")
    private static let failure = Failure(step: "exec", errno: "ENOENT", detail: "It is not there")

    @Test(
        arguments: [
            (.exited(code: 124), "exited", 124, nil),
            (.signaled(kill), "signaled", nil, kill),
            (.timedOut(.signal(kill)), "timed_out", nil, kill),
            (.timedOut(.exitCode(7)), "timed_out", 7, nil),
            (.cpuLimit(kill), "cpu_limit", nil, kill),
            (.memoryLimit, "memory_limit", nil, kill),
            (.outputLimit(.signal(kill)), "output_limit", nil, kill),
            (.cancelled(.exitCode(0)), "cancelled", 0, nil),
            (.cancelled(nil), "cancelled", nil, nil),
            (.startFailed(failure), "start_failed", nil, nil),
            (.internalError(failure), "internal_error", nil, nil),
        ] as [(Outcome, String, Int32?, Signal?)]
    )
    func `an outcome has the contract's name, code and signal`(
        outcome: Outcome,
        name: String,
        code: Int32?,
        signal: Signal?
    ) {
        #expect(outcome.name == name)
        #expect(outcome.exitCode == code)
        #expect(outcome.signal == signal)
    }

    @Test func `only what failed has a failure`() {
        #expect(Outcome.startFailed(Self.failure).failure == Self.failure)
        #expect(Outcome.internalError(Self.failure).failure == Self.failure)
        #expect(Outcome.exited(code: 127).failure == nil)
        #expect(Outcome.cancelled(nil).failure == nil)
    }

    @Test func `a failure is one line with all that is known`() {
        #expect("\(Self.failure)" == "It is not there (exec: ENOENT)")
    }
}
