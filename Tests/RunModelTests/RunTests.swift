import RunModel
import Testing

@Suite struct RunTests {
    @Test func `a run is queued, then running, then finished`() {
        var run = Run.make()
        #expect(run.state == .queued)
        #expect(run.startedAt == nil)
        run.commandStarted(at: .make(2))
        #expect(run.state == .running)
        #expect(run.startedAt == .make(2))
        #expect(run.result == nil)
        run.finish(.make(.exited(code: 3)))
        #expect(run.state == .finished)
        #expect(run.result == .make(.exited(code: 3)))
    }

    @Test func `a queued run can be finished`() {
        var run = Run.make()
        run.finish(.make(.cancelled(nil)))
        #expect(run.state == .finished)
        #expect(run.startedAt == nil)
    }

    @Test func `a copy does not change with its original`() {
        var run = Run.make()
        let copy = run
        run.commandStarted(at: .make(2))
        #expect(copy.state == .queued)
    }

    @Test func `a second outcome stops the program`() async {
        await #expect(processExitsWith: .failure) {
            var run = Run.make()
            run.finish(.make(.exited(code: 0)))
            run.finish(.make(.exited(code: 0)))
        }
    }

    @Test func `a command that starts after the end of its run stops the program`() async {
        await #expect(processExitsWith: .failure) {
            var run = Run.make()
            run.finish(.make(.cancelled(nil)))
            run.commandStarted(at: .make(1))
        }
    }

    @Test func `a command that starts twice stops the program`() async {
        await #expect(processExitsWith: .failure) {
            var run = Run.make()
            run.commandStarted(at: .make(1))
            run.commandStarted(at: .make(2))
        }
    }
}

extension Run {
    static func make() -> Run {
        var ids = RunIDGenerator()
        return Run(
            id: ids.next(now: .make(1)),
            specification: RunSpecification(command: ["true"]),
            enforcement: .minimum,
            createdAt: .make(1)
        )
    }
}

extension Run.Result {
    static func make(_ outcome: Outcome) -> Run.Result {
        Run.Result(outcome: outcome, usage: nil, finishedAt: .make(9))
    }
}

extension Timestamp {
    static func make(_ milliseconds: Int64) -> Timestamp { Timestamp(millisecondsSince1970: milliseconds) }
}

@Suite struct RunSpecificationTests {
    @Test func `the environment has the default variables and none of this process`() {
        let specification = RunSpecification(command: ["true"])
        #expect(specification.fullEnvironment == RunSpecification.defaultEnvironment)
        #expect(Set(specification.fullEnvironment.keys) == ["PATH", "HOME", "TMPDIR", "LANG"])
    }

    @Test func `a run's own variables are added to the default ones and replace them`() {
        let specification = RunSpecification(command: ["true"], environment: ["A": "1", "HOME": "/elsewhere"])
        #expect(specification.fullEnvironment["A"] == "1")
        #expect(specification.fullEnvironment["HOME"] == "/elsewhere")
        #expect(specification.fullEnvironment["TMPDIR"] == "/tmp")
    }

    @Test func `the defaults are those of the contract`() {
        let specification = RunSpecification(command: ["true"])
        #expect(specification.workingDirectory == "/box")
        #expect(specification.limits.timeout == .seconds(10))
        #expect(specification.limits.outputBytes == 1_048_576)
        #expect(specification.limits.diskBytes == 268_435_456)
        #expect(specification.limits.openFiles == 256)
        #expect(specification.grace == .zero)
        #expect(specification.onOutputLimit == .truncate)
    }
}

@Suite struct CapturedOutputTests {
    @Test func `output is truncated if fewer bytes were kept than written`() {
        #expect(CapturedOutput(content: .bytes([1, 2]), totalBytes: 3).truncated)
        #expect(!CapturedOutput(content: .bytes([1, 2]), totalBytes: 2).truncated)
        #expect(CapturedOutput(content: .file(path: "/x", count: 9), totalBytes: 10).truncated)
        #expect(!CapturedOutput.empty.truncated)
    }

    @Test func `kept bytes are counted in memory and in a file`() {
        #expect(CapturedOutput(content: .bytes([1, 2]), totalBytes: 3).keptBytes == 2)
        #expect(CapturedOutput(content: .file(path: "/x", count: 9), totalBytes: 10).keptBytes == 9)
    }
}
