import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite struct SandboxImageTests {
    private let folder: ScratchFolder

    init() throws {
        folder = try ScratchFolder()
        for name in ["usr", "etc", "proc", "tmp"] { #expect(mkdir(folder.path + "/" + name, 0o755) == 0) }
        try folder.makeFile("mark", "x")
    }

    private func reason(_ text: String) -> String? {
        do {
            _ = try SandboxImage.all([text])
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `all at its top is shown but what a run has of its own`() throws {
        #expect(symlink("usr/bin", folder.path + "/bin") == 0)
        #expect(mkfifo(folder.path + "/fifo", 0o666) == 0)
        let image = try #require(SandboxImage.all(["a=\(folder.path)"]).first)
        let shown = image.entries.filter { !$0.path.hasPrefix("/dev") }
        let expected: Set<SandboxEntry> = [
            .symbolicLink("/bin", to: "usr/bin"), .bind(host: folder.path + "/etc", at: "/etc"),
            .bind(host: folder.path + "/usr", at: "/usr"), .bindFile(host: folder.path + "/mark", at: "/mark"),
            .directory("/proc"), .directory("/tmp"), .directory("/box"),
        ]
        #expect(Set(shown) == expected)
        #expect(shown.count == expected.count)
    }

    @Test func `each entry's folder stands before it`() throws {
        let image = try #require(SandboxImage.all(["a=\(folder.path)"]).first)
        var folders: Set = [""]
        for entry in image.entries {
            #expect(folders.contains(String(entry.path[..<(entry.path.lastIndex(of: "/") ?? entry.path.startIndex)])))
            folders.insert(entry.path)
        }
    }

    @Test func `a folder behind a link is found once, when the service starts`() throws {
        let links = try ScratchFolder()
        #expect(symlink(folder.path, links.path + "/link") == 0)
        let image = try #require(SandboxImage.all(["a=\(links.path)/link"]).first)
        #expect(image.hostPath == folder.path)
    }

    @Test(arguments: [0o775, 0o757, 0o1777] as [mode_t])
    func `a folder that others may write to is refused with what to do`(mode: mode_t) {
        #expect(chmod(folder.path, mode) == 0)
        #expect(reason("a=\(folder.path)")?.contains("chmod go-w \(folder.path)") == true)
        #expect(chmod(folder.path, mode & 0o755) == 0)
        #expect(reason("a=\(folder.path)") == nil)
    }

    @Test func `a folder without anything to show is refused`() {
        for name in ["usr", "etc"] { rmdir(folder.path + "/" + name) }
        unlink(folder.path + "/mark")
        #expect(ScratchFolder.names(in: folder.path) == ["proc", "tmp"])
        #expect(reason("a=\(folder.path)")?.contains("nothing is in it") == true)
    }

    @Test func `a folder that holds a name that is needed is refused`() throws {
        try folder.makeFile(".host", "")
        #expect(reason("a=\(folder.path)")?.contains("rename it") == true)
    }

    @Test(arguments: ["a", "0", "python3.11", "a_b-c"]) func `these are names`(name: String) throws {
        try #expect(SandboxImage.all(["\(name)=\(folder.path)"]).map(\.name) == [name])
    }

    @Test(arguments: ["", ".a", "-a", "_a", "A", "ä", "a/b", "a b", "a,b"]) func `these are none`(name: String) {
        #expect(reason("\(name)=\(folder.path)")?.contains("a name is of") == true)
    }

    @Test func `there may be sixty-four`() throws {
        let texts = (1...65).map { "image\($0)=\(folder.path)" }
        try #expect(SandboxImage.all(Array(texts.dropLast())).count == 64)
        #expect(throws: ViewError.self) { try SandboxImage.all(texts) }
    }
}
