import JSON
import RunModel
import TestSupport
import Testing

@testable import RunAPI

/// Tests that the reading sides of the documents understand the output of the writing sides.
@Suite struct ReceivedDocumentTests {
    private static let kill = Signal(number: 9, name: "SIGKILL", coreDumped: true)
    private static let failure = Failure(step: "exec", errno: "ENOENT", detail: "No such file")

    @Test(
        arguments: [
            .exited(code: 3), .signaled(kill), .timedOut(.exitCode(7)), .timedOut(.signal(kill)), .cpuLimit(kill),
            .memoryLimit, .outputLimit(.signal(kill)), .cancelled(nil), .cancelled(.exitCode(0)), .lost,
            .startFailed(failure), .internalError(failure),
        ] as [Outcome]
    )
    func `a finished run is received with its outcome`(outcome: Outcome) throws {
        let run = Run.make(outcome)
        let received = try ReceivedRun(json: try JSONParser.parse(RunDocument.render(run)))
        #expect(received.id == run.id)
        #expect(received.isFinished)
        #expect(received.outcome == outcome)
        #expect(received.outcomeName == outcome.name)
        #expect(received.outputLimit == 1 << 20)
        #expect(received.json == RunDocument.render(run))
    }

    @Test func `a queued run is received without an outcome`() throws {
        let received = try ReceivedRun(json: try JSONParser.parse(RunDocument.render(.make())))
        #expect(!received.isFinished)
        #expect(received.state == "queued")
        #expect(received.outcome == nil && received.outcomeName == nil)
        #expect(!received.isTruncated(.standardOutput))
    }

    @Test func `a page of runs is received with its cursor`() throws {
        let run = Run.make(.lost)
        let page = try RunPage(json: try JSONParser.parse(RunDocument.render([run, run], next: run.id)))
        #expect(page.runs.map(\.id) == [run.id, run.id])
        #expect(page.next == run.id.description)
        #expect(try RunPage(json: try JSONParser.parse(RunDocument.render([], next: nil))).next == nil)
    }

    @Test(arguments: [#"{}"#, #"[]"#, #"{"runs": [{}]}"#, #"{"id": "x", "state": "queued"}"#])
    func `another document is malformed`(text: String) throws {
        let value = try JSONParser.parse(Array(text.utf8))
        #expect(throws: MalformedDocument.self) { try RunPage(json: value) }
        #expect(throws: MalformedDocument.self) { try ReceivedRun(json: value) }
    }

    @Test func `a problem is received with its faults`() throws {
        let pointer = JSONPointer.root.appending("command").appending(0)
        let problem = ProblemDocument(
            status: 422,
            detail: "Not valid.",
            faults: [JSONFault(pointer: pointer, detail: "must be a string")]
        )
        let received = try #require(ReceivedProblem(problem.render()))
        #expect(received.title == "Unprocessable Content")
        #expect(received.detail == "Not valid.")
        #expect(received.faults.map(\.pointer) == ["/command/0"])
        #expect(received.faults.map(\.detail) == ["must be a string"])
        #expect(ReceivedProblem(Array("<html>".utf8)) == nil)
    }

    @Test(
        arguments: [
            (Array("é\n".utf8), #"{"text":"é\n","encoding":"utf-8","offset":4096}"#),
            ([0xFF, 0x00], #"{"text":"/wA=","encoding":"base64","offset":4096}"#),
        ] as [([UInt8], String)]
    )
    func `an output event is text or base64 and is received as it was written`(bytes: [UInt8], text: String) throws {
        let event = EventDocument(bytes: bytes, offset: 4096)
        var writer = JSONWriter()
        writer.object { event.writeMembers(to: &$0) }
        #expect(String(decoding: writer.bytes, as: UTF8.self) == text)
        let object = try #require(try JSONParser.parse(writer.bytes).object)
        #expect(try EventDocument(object) == event)
    }

    @Test(arguments: [
        #"{"text": "", "offset": -1}"#, #"{"offset": 0}"#, #"{"text": "!", "encoding": "base64", "offset": 0}"#,
    ])
    func `a malformed output event is refused`(text: String) throws {
        let object = try #require(try JSONParser.parse(Array(text.utf8)).object)
        #expect(throws: MalformedDocument.self) { try EventDocument(object) }
    }
}
