import TestSupport
import Testing

@testable import Sandbox

@Suite struct HostFileTests {
    @Test func `a larger file than asked for is not read`() throws {
        let folder = try ScratchFolder()
        let file = try folder.makeFile("file", String(repeating: "x", count: 100_000))
        #expect(HostFile.contents(of: file, atMost: 100_000)?.count == 100_000)
        #expect(HostFile.contents(of: file, atMost: 99_999) == nil)
        #expect(HostFile.contents(of: folder.path + "/absent", atMost: 10) == nil)
    }

    @Test func `names are sorted`() throws {
        let folder = try ScratchFolder()
        for name in ["b", "a", "c"] { try folder.makeFile(name, "") }
        #expect(HostFile.names(in: folder.path) == [".", "..", "a", "b", "c"])
        #expect(HostFile.names(in: folder.path + "/absent") == [])
    }

    @Test func `a path is shown without its links`() {
        #expect(HostFile.canonicalPath(of: "/proc/self/root") == "/")
        #expect(HostFile.canonicalPath(of: "/does/not/exist") == nil)
    }
}
