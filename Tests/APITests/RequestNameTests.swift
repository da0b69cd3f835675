import HTTPServer
import Runs
import Testing

@testable import API

@Suite struct RequestNameTests {
    @Test func `names that are made up are all different and may stand in a header`() {
        let names = Set((0..<10_000).map { _ in RequestName.next() })
        #expect(names.count == 10_000)
        #expect(names.allSatisfy { RequestName.isValid($0) && $0.utf8.count == 32 })
    }

    @Test(arguments: [
        "a", "8e03978e-40d5-43e8-bc93-6894a57f9324", "A.b_c~d:e@f+g/h=", String(repeating: "x", count: 128),
    ])
    func `a client's name is taken`(name: String) throws {
        #expect(
            try RequestNote.of(Request(method: "GET", target: "/", headers: [HeaderField("x-request-ID", name)]))?.id
                == name
        )
    }

    @Test(arguments: [
        "", String(repeating: "x", count: 129), "a b", "a\"b", "a\u{7F}", "\u{E9}", "a,b", "a;b", "a\\b", "<a>", "a\tb",
    ])
    func `a client's name that would be a nuisance is not`(name: String) throws {
        #expect(
            try RequestNote.of(Request(method: "GET", target: "/", headers: [HeaderField("X-Request-Id", name)])) == nil
        )
    }

    @Test func `a trace alone is worth a name`() throws {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let note = try #require(
            RequestNote.of(Request(method: "GET", target: "/", headers: [HeaderField("Traceparent", parent)]))
        )
        #expect(note.trace?.parent == parent)
        #expect(note.id.utf8.count == 32)
    }
}
