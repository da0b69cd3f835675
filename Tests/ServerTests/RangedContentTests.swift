import HTTPServer
import Testing

@testable import Server

@Suite struct RangedContentTests {
    @Test(
        arguments: [
            ("bytes=0-0", 0..<1), ("bytes=0-9", 0..<10), ("bytes=3-5", 3..<6), ("bytes=3-", 3..<10),
            ("bytes=3-10", 3..<10), ("bytes=9-99999999999999999999999", 9..<10), ("bytes=-1", 9..<10),
            ("bytes=-10", 0..<10), ("bytes=-11", 0..<10), ("bytes=-99999999999999999999999", 0..<10),
            ("BYTES=1-1", 1..<2),
        ] as [(String, Range<Int>)]
    )
    func `a range selects existing bytes`(field: String, bytes: Range<Int>) throws {
        #expect(try #require(ByteRange(field)).bytes(of: 10) == bytes)
    }

    @Test(arguments: ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999999-", "bytes=-0"])
    func `a range beyond the content is not satisfiable`(field: String) throws {
        #expect(try #require(ByteRange(field)).bytes(of: 10) == nil)
    }

    @Test(arguments: ["bytes=0-", "bytes=-5", "bytes=0-0"])
    func `no range of an empty content is satisfiable`(field: String) throws {
        #expect(try #require(ByteRange(field)).bytes(of: 0) == nil)
    }

    @Test(arguments: [
        "", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=1-b", "bytes=0x1-2", "bytes=0-1,3-4",
        "bytes=+1-2",
        "bytes= 0-1", "lines=0-1", "bytes=--1", "bytes=1-2-3", "0-1",
    ])
    func `malformed and multiple ranges are ignored`(field: String) {
        #expect(ByteRange(field) == nil)
    }

    @Test func `only a GET request with one Range header has a range`() throws {
        let field = HeaderField("Range", "bytes=0-1")
        #expect(ByteRange(try Request(method: "GET", target: "/", headers: [field])) == .from(0, last: 1))
        #expect(ByteRange(try Request(method: "HEAD", target: "/", headers: [field])) == nil)
        #expect(ByteRange(try Request(method: "GET", target: "/", headers: [field, field])) == nil)
    }

    // MARK: Responses

    private func response(
        _ headers: [HeaderField] = [],
        tag: EntityTag? = EntityTag("t")
    ) throws -> Response {
        let content = RangedContent(tag: tag, length: 10) { .bytes(Array(repeating: 0, count: $0.count)) }
        return try content.response(to: Request(method: "GET", target: "/", headers: headers))
    }

    private func bodyBytes(_ response: Response) -> Int? {
        if case .bytes(let bytes) = response.body { bytes.count } else { nil }
    }

    @Test func `a request without a range gets the whole content and its tag`() throws {
        let response = try response()
        #expect(response.status == 200 && bodyBytes(response) == 10)
        #expect(response.headers.contains(HeaderField("ETag", "\"t\"")))
    }

    @Test func `a range gets a part of the content`() throws {
        let response = try response([HeaderField("Range", "bytes=2-4")])
        #expect(response.status == 206 && bodyBytes(response) == 3)
        #expect(response.headers.contains(HeaderField("Content-Range", "bytes 2-4/10")))
    }

    @Test func `a part of growing content has no total length and no tag`() throws {
        let response = try response([HeaderField("Range", "bytes=2-4")], tag: nil)
        #expect(response.headers.contains(HeaderField("Content-Range", "bytes 2-4/*")))
        #expect(!response.headers.contains { $0.name == "ETag" })
    }

    @Test(arguments: [("\"t\"", 206), ("\"u\"", 200), ("W/\"t\"", 200)])
    func `a range applies only to the content that If-Range names`(tag: String, status: Int) throws {
        #expect(try response([HeaderField("Range", "bytes=0-0"), HeaderField("If-Range", tag)]).status == status)
    }

    @Test func `a client that has the content gets 304`() throws {
        let response = try response([HeaderField("If-None-Match", "\"t\"")])
        #expect(response.status == 304 && response.headers == [HeaderField("ETag", "\"t\"")])
    }

    @Test func `a range beyond the content is a 416 problem with the length`() throws {
        let error = #expect(throws: Problem.self) { try response([HeaderField("Range", "bytes=10-")]) }
        #expect(error?.status == 416)
        #expect(error?.headers.first == HeaderField("Content-Range", "bytes */10"))
    }
}
