import JSON
import RunModel
import TestSupport
import Testing

@testable import RunAPI

@Suite struct RunDocumentTests {
    @Test func `a queued run has every member, with null for unknown values`() throws {
        let text = try #require(String(validating: RunDocument.render(.make()), as: UTF8.self))
        #expect(
            text == #"""
                {"id":"01ARYZ6S41TSV4RRFFQ69G5FAV","state":"queued","outcome":null,"exitCode":null,"signal":null,\#
                "timedOut":false,"error":null,"stdout":{"text":"","encoding":"utf-8","bytes":0,"truncated":false},\#
                "stderr":{"text":"","encoding":"utf-8","bytes":0,"truncated":false},"artifacts":[],"usage":null,\#
                "limits":{"timeoutSeconds":10,"cpuSeconds":20,"memoryBytes":536870912,"processes":512,\#
                "outputBytes":1048576,"diskBytes":268435456,"openFiles":256,"stackBytes":8388608,"cpus":null},\#
                "enforcement":{"memory":"none","processes":"rlimit","cpu":"rlimit","network":"namespace",\#
                "filesystem":"namespace","syscalls":"none"},"createdAt":"1970-01-01T00:00:01.000Z","startedAt":null,\#
                "finishedAt":null,"command":["echo","\"é\\"],"image":"host","network":"none",\#
                "workingDirectory":"/box","principal":null,"labels":{}}

                """#
        )
    }

    @Test func `a running run has its start time`() throws {
        var run = Run.make()
        run.commandStarted(at: Timestamp(millisecondsSince1970: 2500))
        let document = try render(run)
        #expect(document["state"] == .string("running"))
        #expect(document["startedAt"] == .string("1970-01-01T00:00:02.500Z"))
        #expect(document["outcome"] == .null)
    }

    @Test func `an exited run has its exit code and usage`() throws {
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

    @Test func `a signaled run has the signal's number, name and core dump flag`() throws {
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
    func `timedOut is true only for the outcome timed_out`(
        outcome: Outcome,
        name: String,
        timedOut: Bool,
        code: String?
    ) throws {
        let document = try render(.make(outcome))
        #expect(document["outcome"] == .string(name))
        #expect(document["timedOut"] == .bool(timedOut))
        #expect(document["exitCode"] == code.map { .number($0) } ?? .null)
    }

    @Test func `a failed start has a step, an errno and a detail`() throws {
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

    @Test func `only an earlier result has the member cached`() throws {
        #expect(try JSONParser.parse(RunDocument.render(.make(), isCached: true))["cached"] == .bool(true))
        #expect(try render(.make())["cached"] == nil)
    }

    private func render(_ run: Run) throws -> JSONValue { try JSONParser.parse(RunDocument.render(run)) }
}

@Suite struct DurationSecondsTests {
    @Test(
        arguments: [
            (.zero, 0), (.milliseconds(50), 0.05), (.nanoseconds(1), 1e-9), (.seconds(3600), 3600),
            (.seconds(1) + .nanoseconds(1), 1.000000001), (.milliseconds(-1500), -1.5),
            (.seconds(Int64.max), 9.223372036854775807e18),
        ] as [(Duration, Double)]
    )
    func `a duration is the shortest exact number of seconds`(duration: Duration, seconds: Double) {
        #expect(duration.inSeconds == seconds)
    }
}
