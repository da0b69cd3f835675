import JSON
import Runs
import Testing

@testable import API

@Suite struct RunDocumentTests {
    @Test func `a queued run has every member, and null for what is not known yet`() throws {
        let text = try #require(String(validating: RunDocument.render(.make()), as: UTF8.self))
        #expect(
            text == #"""
                {"id":"01ARYZ6S41TSV4RRFFQ69G5FAV","state":"queued","outcome":null,"exitCode":null,"signal":null,\#
                "timedOut":false,"error":null,"stdout":{"text":"","encoding":"utf-8","bytes":0,"truncated":false},\#
                "stderr":{"text":"","encoding":"utf-8","bytes":0,"truncated":false},"artifacts":[],"usage":null,\#
                "limits":{"timeoutSeconds":10,"cpuSeconds":20,"memoryBytes":536870912,"processes":64,\#
                "outputBytes":1048576,"diskBytes":268435456,"openFiles":256},\#
                "enforcement":{"memory":"none","processes":"rlimit","cpu":"rlimit","network":"namespace",\#
                "filesystem":"namespace","syscalls":"none"},"createdAt":"1970-01-01T00:00:01.000Z","startedAt":null,\#
                "finishedAt":null,"command":["echo","\"é\\"],"labels":{}}

                """#
        )
    }

    @Test func `a running run has its start`() throws {
        var run = Run.make()
        run.becomeRunning()
        run.commandStarted(at: Timestamp(millisecondsSince1970: 2500))
        let document = try render(run)
        #expect(document["state"] == .string("running"))
        #expect(document["startedAt"] == .string("1970-01-01T00:00:02.500Z"))
        #expect(document["outcome"] == .null)
    }

    @Test func `an exit has its code and what was used`() throws {
        let usage = Usage(wall: .milliseconds(50), user: .microseconds(800), system: nil, peakMemoryBytes: 1_150_976)
        let document = try render(.make(.exited(code: 124), usage: usage))
        #expect(document["outcome"] == .string("exited"))
        #expect(document["exitCode"] == .number("124"))
        #expect(document["signal"] == .null)
        #expect(document["timedOut"] == .bool(false))
        #expect(document["usage"]?["wallSeconds"] == .number("0.05"))
        #expect(document["usage"]?["userSeconds"] == .number("0.0008"))
        #expect(document["usage"]?["systemSeconds"] == .null)
        #expect(document["usage"]?["peakMemoryBytes"] == .number("1150976"))
        #expect(document["finishedAt"] == .string("1970-01-01T00:00:09.000Z"))
    }

    @Test func `a signal has its number, its name and whether a core was dumped`() throws {
        let document = try render(.make(.signaled(Signal(number: 11, name: "SIGSEGV", coreDumped: true))))
        #expect(document["outcome"] == .string("signaled"))
        #expect(document["exitCode"] == .null)
        #expect(document["signal"]?["number"] == .number("11"))
        #expect(document["signal"]?["name"] == .string("SIGSEGV"))
        #expect(document["signal"]?["coreDumped"] == .bool(true))
    }

    @Test(
        arguments: [
            (.timedOut(.exitCode(7)), "timed_out", true, "7"),
            (.timedOut(.signal(Signal(number: 9, name: "SIGKILL"))), "timed_out", true, nil),
            (.outputLimit(.signal(Signal(number: 9, name: "SIGKILL"))), "output_limit", false, nil),
            (.cancelled(nil), "cancelled", false, nil),
            (.cancelled(.exitCode(0)), "cancelled", false, "0"),
        ] as [(Outcome, String, Bool, String?)]
    )
    func `only what timed out has timedOut`(outcome: Outcome, name: String, timedOut: Bool, code: String?) throws {
        let document = try render(.make(outcome))
        #expect(document["outcome"] == .string(name))
        #expect(document["timedOut"] == .bool(timedOut))
        #expect(document["exitCode"] == code.map { .number($0) } ?? .null)
    }

    @Test func `what failed has a step, an errno and a detail`() throws {
        let failure = Failure(step: "exec", errno: "ENOENT", detail: "It is not there")
        let document = try render(.make(.startFailed(failure)))
        #expect(document["outcome"] == .string("start_failed"))
        #expect(document["error"]?["step"] == .string("exec"))
        #expect(document["error"]?["errno"] == .string("ENOENT"))
        #expect(document["error"]?["detail"] == .string("It is not there"))
        #expect(document["usage"] == .null)
    }

    @Test func `a run with much output is large`() {
        var run = Run.make()
        run.standardOutput = CapturedOutput(content: .file(path: "/x", count: 60_000), totalBytes: 60_000)
        #expect(!RunDocument.isLarge(run))
        run.standardError = CapturedOutput(content: .file(path: "/y", count: 60_000), totalBytes: 60_000)
        #expect(RunDocument.isLarge(run))
    }

    @Test func `an earlier run that answers for another says so, and no other does`() throws {
        #expect(try JSONParser.parse(RunDocument.render(.make(), isCached: true))["cached"] == .bool(true))
        #expect(try render(.make())["cached"] == nil)
    }

    private func render(_ run: Run) throws -> JSONValue { try JSONParser.parse(RunDocument.render(run)) }
}

extension Run {
    static func make() -> Run {
        Run(
            id: RunID("01ARYZ6S41TSV4RRFFQ69G5FAV") ?? .none,
            specification: RunSpecification(command: ["echo", "\"é\\"]),
            enforcement: .current,
            createdAt: Timestamp(millisecondsSince1970: 1000)
        )
    }

    static func make(_ outcome: Outcome, usage: Usage? = nil) -> Run {
        var run = make()
        run.finish(Result(outcome: outcome, usage: usage, finishedAt: Timestamp(millisecondsSince1970: 9000)))
        return run
    }
}

extension RunID {
    /// Any id.
    static var none: RunID {
        var ids = RunIDGenerator()
        return ids.next(now: Timestamp(millisecondsSince1970: 0))
    }
}
