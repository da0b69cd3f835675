import RunModel
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

    @Test func `only a failed start and an internal error have a failure`() {
        #expect(Outcome.startFailed(Self.failure).failure == Self.failure)
        #expect(Outcome.internalError(Self.failure).failure == Self.failure)
        #expect(Outcome.exited(code: 127).failure == nil)
        #expect(Outcome.cancelled(nil).failure == nil)
    }

    @Test func `a failure is described in one line`() {
        #expect("\(Self.failure)" == "It is not there (exec: ENOENT)")
    }

    // MARK: The table

    private static let examples: [Outcome] = [
        .exited(code: 255), .signaled(kill), .timedOut(.signal(kill)), .timedOut(.exitCode(7)), .cpuLimit(kill),
        .memoryLimit, .outputLimit(.signal(kill)), .outputLimit(.exitCode(0)), .cancelled(nil),
        .cancelled(.exitCode(1)), .cancelled(.signal(kill)), .lost, .startFailed(failure), .internalError(failure),
    ]

    @Test(arguments: examples) func `an outcome is restored from its name and values`(outcome: Outcome) {
        let restored = Outcome(
            name: outcome.name,
            exitCode: outcome.exitCode,
            signal: outcome.signal,
            failure: outcome.failure
        )
        #expect(restored == outcome)
    }

    @Test func `every kind of outcome has an example above, a name and a sentence`() {
        #expect(Set(Self.examples.map(\.kind)) == Set(Outcome.Kind.allCases))
        #expect(Set(Outcome.names).count == Outcome.table.count)
        for row in Outcome.table { #expect(row.summary.hasSuffix("."), "\(row.kind)") }
    }

    @Test(arguments: examples) func `the values of an outcome are those that its row names`(outcome: Outcome) {
        let values = (outcome.exitCode != nil, outcome.signal != nil, outcome.failure != nil)
        switch outcome.kind.description.payload {
        case .none: #expect(values.0 == false && values.2 == false)
        case .exitCode: #expect(values == (true, false, false))
        case .signal: #expect(values == (false, true, false))
        case .termination: #expect(values.0 != values.1 && values.2 == false)
        case .optionalTermination: #expect(!(values.0 && values.1) && values.2 == false)
        case .failure: #expect(values == (false, false, true))
        }
    }

    @Test func `an unknown name and an incomplete outcome are not restored`() {
        #expect(Outcome(name: "of a later version", exitCode: 0, signal: nil, failure: nil) == nil)
        #expect(Outcome(name: "exited", exitCode: nil, signal: nil, failure: nil) == nil)
        #expect(Outcome(name: "signaled", exitCode: nil, signal: nil, failure: nil) == nil)
    }

    @Test func `missing values of a termination or failure are replaced`() {
        #expect(Outcome(name: "timed_out", exitCode: nil, signal: nil, failure: nil) == .timedOut(.signal(.kill)))
        #expect(Outcome(name: "cpu_limit", exitCode: nil, signal: nil, failure: nil) == .cpuLimit(.kill))
        #expect(Outcome(name: "output_limit", exitCode: nil, signal: nil, failure: nil) == .outputLimit(.signal(.kill)))
        #expect(Outcome(name: "start_failed", exitCode: nil, signal: nil, failure: nil)?.failure != nil)
    }
}
