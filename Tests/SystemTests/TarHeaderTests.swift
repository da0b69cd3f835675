import Testing

@testable import System

struct TarHeaderTests {
    private func header(_ path: String, bytes: Int = 0) -> [UInt8] {
        TarHeader(path: path, kind: .regular(bytes: bytes, isExecutable: false), modified: 1).blocks
    }

    private func sum(_ block: ArraySlice<UInt8>) -> Int {
        // The checksum field itself counts as spaces.
        let fields = block.prefix(148) + block.dropFirst(156)
        return fields.reduce(8 * 32) { $0 + Int($1) }
    }

    @Test(arguments: [0, 1, 99, 100, 101, 4090]) func `every block contains its checksum`(length: Int) throws {
        let blocks = header(String(repeating: "p", count: length))
        #expect(blocks.count % 512 == 0)
        let own = blocks.suffix(512)
        let stated = Int(String(decoding: own.dropFirst(148).prefix(6), as: UTF8.self), radix: 8)
        #expect(stated == sum(own))
        #expect(String(decoding: own.dropFirst(257).prefix(5), as: UTF8.self) == "ustar")
    }

    @Test func `a long path or one that is not ASCII needs a pax record`() {
        #expect(header(String(repeating: "p", count: 100)).count == 512)
        #expect(header(String(repeating: "p", count: 101)).count == 3 * 512)
        let text = String(decoding: header("é"), as: UTF8.self)
        #expect(text.contains("11 path=é\n"))
    }

    @Test(arguments: [(1 << 33 - 1, false), (1 << 33, true)])
    func `a size that exceeds eleven octal digits needs a pax record`(bytes: Int, hasRecord: Bool) {
        let text = String(decoding: header("a", bytes: bytes), as: UTF8.self)
        #expect(text.contains("size=\(bytes)\n") == hasRecord)
    }

    @Test func `the length of a pax record includes its own digits`() {
        for length in 80...130 {
            let path = "é" + String(repeating: "p", count: length)
            let blocks = header(path)
            let record = blocks.dropFirst(512).prefix { $0 != 0 }
            let stated = Int(String(decoding: record.prefix { $0 != 32 }, as: UTF8.self))
            #expect(stated == record.count)
        }
    }

    @Test func `a link has its target, and a long one needs a pax record`() {
        func header(_ target: String) -> [UInt8] {
            TarHeader(path: "l", kind: .symbolicLink(target: target), modified: 1).blocks
        }
        let short = header("target")
        #expect(short.count == 512)
        #expect(short[156] == UInt8(ascii: "2"))
        #expect(String(decoding: short.dropFirst(157).prefix(7), as: UTF8.self) == "target\0")
        let long = String(repeating: "t", count: 101)
        #expect(String(decoding: header(long), as: UTF8.self).contains(" linkpath=\(long)\n"))
        #expect(header("é").count == 3 * 512)
    }

    @Test func `a directory ends in a slash`() {
        let blocks = TarHeader(path: "d", kind: .directory, modified: 1).blocks
        #expect(String(decoding: blocks.prefix(3), as: UTF8.self) == "d/\0")
        #expect(blocks[156] == UInt8(ascii: "5"))
    }

    @Test func `a file is padded to whole blocks`() {
        #expect([0, 1, 511, 512, 513].map(TarHeader.padding(after:)) == [0, 511, 1, 0, 511])
    }
}
