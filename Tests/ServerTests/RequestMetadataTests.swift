import HTTPServer
import RunModel
import Testing

@testable import Server

@Suite struct RequestMetadataTests {
    @Test func `generated ids are unique and valid`() {
        let ids = Set((0..<10_000).map { _ in RequestID.next() })
        #expect(ids.count == 10_000)
        #expect(ids.allSatisfy { RequestID.isValid($0) && $0.utf8.count == 32 })
    }

    @Test(arguments: [
        "a", "8e03978e-40d5-43e8-bc93-6894a57f9324", "A.b_c~d:e@f+g/h=", String(repeating: "x", count: 128),
    ])
    func `a valid id of a client is used`(id: String) throws {
        #expect(
            try RequestMetadata.of(Request(method: "GET", target: "/", headers: [HeaderField("x-request-ID", id)]))?
                .id
                == id
        )
    }

    @Test(arguments: [
        "", String(repeating: "x", count: 129), "a b", "a\"b", "a\u{7F}", "\u{E9}", "a,b", "a;b", "a\\b", "<a>", "a\tb",
    ])
    func `an invalid id of a client is ignored`(id: String) throws {
        #expect(
            try RequestMetadata.of(Request(method: "GET", target: "/", headers: [HeaderField("X-Request-Id", id)]))
                == nil
        )
    }

    @Test func `a request with a trace only gets a generated id`() throws {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let metadata = try #require(
            RequestMetadata.of(Request(method: "GET", target: "/", headers: [HeaderField("Traceparent", parent)]))
        )
        #expect(metadata.trace?.parent == parent)
        #expect(metadata.id.utf8.count == 32)
    }
}
