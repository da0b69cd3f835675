import HTTPServer
import Testing

@testable import API

@Suite struct ByteRangeTests {
    @Test(
        arguments: [
            ("bytes=0-0", 0..<1), ("bytes=0-9", 0..<10), ("bytes=3-5", 3..<6), ("bytes=3-", 3..<10),
            ("bytes=3-10", 3..<10), ("bytes=9-99999999999999999999999", 9..<10), ("bytes=-1", 9..<10),
            ("bytes=-10", 0..<10), ("bytes=-11", 0..<10), ("bytes=-99999999999999999999999", 0..<10),
            ("BYTES=1-1", 1..<2),
        ] as [(String, Range<Int>)]
    )
    func `a range is a part of what there is`(field: String, bytes: Range<Int>) throws {
        #expect(try #require(ByteRange(field)).bytes(of: 10) == bytes)
    }

    @Test(arguments: ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999999-", "bytes=-0"])
    func `a range of which there is nothing cannot be satisfied`(field: String) throws {
        #expect(try #require(ByteRange(field)).bytes(of: 10) == nil)
    }

    @Test(arguments: ["bytes=0-", "bytes=-5", "bytes=0-0"])
    func `there is nothing of an empty content`(field: String) throws {
        #expect(try #require(ByteRange(field)).bytes(of: 0) == nil)
    }

    @Test(arguments: [
        "", "bytes", "bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=1-b", "bytes=0x1-2", "bytes=0-1,3-4",
        "bytes=+1-2",
        "bytes= 0-1", "lines=0-1", "bytes=--1", "bytes=1-2-3", "0-1",
    ])
    func `what cannot be read, and several ranges, are ignored`(field: String) {
        #expect(ByteRange(field) == nil)
    }

    @Test func `only GET has ranges, and only one field of them`() throws {
        let field = HeaderField("Range", "bytes=0-1")
        #expect(ByteRange(try Request(method: "GET", target: "/", headers: [field])) == .from(0, last: 1))
        #expect(ByteRange(try Request(method: "HEAD", target: "/", headers: [field])) == nil)
        #expect(ByteRange(try Request(method: "GET", target: "/", headers: [field, field])) == nil)
    }
}
