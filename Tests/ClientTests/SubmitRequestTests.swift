import Testing

@testable import Client

@Suite struct SubmitRequestTests {
    private func text(_ request: SubmitRequest) -> String {
        String(decoding: request.body([], nil), as: UTF8.self)
    }

    @Test func `unset members are omitted`() {
        #expect(text(SubmitRequest(command: ["echo", "\"a\""])) == #"{"command":["echo","\"a\""]}"#)
    }

    @Test func `the last value of a name counts, and names are compared by bytes`() {
        var request = SubmitRequest(command: ["a"])
        request.environment = [("A", "1"), ("B", "2"), ("A", "3"), ("e\u{301}", "4"), ("\u{e9}", "5")]
        #expect(
            text(request)
                == "{\"command\":[\"a\"],\"env\":{\"A\":\"3\",\"B\":\"2\",\"e\u{301}\":\"4\",\"\u{e9}\":\"5\"}}"
        )
    }
}
