import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite struct SandboxImageTests {
    private let directory: ScratchDirectory

    init() throws {
        directory = try ScratchDirectory()
        for name in ["usr", "etc", "proc", "tmp"] { #expect(mkdir(directory.path + "/" + name, 0o755) == 0) }
        try directory.makeFile("mark", "x")
    }

    private func reason(_ text: String) -> String? {
        do {
            _ = try SandboxImage.all([text])
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `the top of an image is shown, except for the directories that each run creates`() throws {
        #expect(symlink("usr/bin", directory.path + "/bin") == 0)
        #expect(mkfifo(directory.path + "/fifo", 0o666) == 0)
        let image = try #require(SandboxImage.all(["a=\(directory.path)"]).first)
        let shown = image.entries.filter { !$0.path.hasPrefix("/dev") && !$0.path.hasPrefix("/sys") }
        let expected: Set<SandboxEntry> = [
            .symbolicLink("/bin", to: "usr/bin"), .bind(host: directory.path + "/etc", at: "/etc"),
            .bind(host: directory.path + "/usr", at: "/usr"), .bindFile(host: directory.path + "/mark", at: "/mark"),
            .directory("/proc"), .directory("/tmp"), .directory("/box"),
        ]
        #expect(Set(shown) == expected)
        #expect(shown.count == expected.count)
    }

    @Test func `each entry follows its parent directory`() throws {
        let image = try #require(SandboxImage.all(["a=\(directory.path)"]).first)
        var directories: Set = [""]
        for entry in image.entries {
            #expect(
                directories.contains(String(entry.path[..<(entry.path.lastIndex(of: "/") ?? entry.path.startIndex)]))
            )
            directories.insert(entry.path)
        }
    }

    @Test func `a link to an image is followed once, when the service starts`() throws {
        let links = try ScratchDirectory()
        #expect(symlink(directory.path, links.path + "/link") == 0)
        let image = try #require(SandboxImage.all(["a=\(links.path)/link"]).first)
        #expect(image.hostPath == directory.path)
    }

    @Test(arguments: [0o775, 0o757, 0o1777] as [mode_t])
    func `a directory that other users may write to is refused with a remedy`(mode: mode_t) {
        #expect(chmod(directory.path, mode) == 0)
        #expect(reason("a=\(directory.path)")?.contains("chmod go-w \(directory.path)") == true)
        #expect(chmod(directory.path, mode & 0o755) == 0)
        #expect(reason("a=\(directory.path)") == nil)
    }

    @Test func `a directory with nothing to show is refused`() {
        for name in ["usr", "etc"] { rmdir(directory.path + "/" + name) }
        unlink(directory.path + "/mark")
        #expect(ScratchDirectory.names(in: directory.path) == ["proc", "tmp"])
        #expect(reason("a=\(directory.path)")?.contains("sees nothing in it") == true)
    }

    @Test func `a directory with a reserved name is refused`() throws {
        try directory.makeFile(".host", "")
        #expect(reason("a=\(directory.path)")?.contains("rename that entry") == true)
    }

    @Test(arguments: ["a", "0", "python3.11", "a_b-c"]) func `valid names are accepted`(name: String) throws {
        try #expect(SandboxImage.all(["\(name)=\(directory.path)"]).map(\.name) == [name])
    }

    @Test(arguments: ["", ".a", "-a", "_a", "A", "ä", "a/b", "a b", "a,b"]) func `invalid names are refused`(
        name: String
    ) {
        #expect(reason("\(name)=\(directory.path)")?.contains("the name must consist of") == true)
    }

    @Test func `more than 64 images are refused`() throws {
        let texts = (1...65).map { "image\($0)=\(directory.path)" }
        try #expect(SandboxImage.all(Array(texts.dropLast())).count == 64)
        #expect(throws: ViewError.self) { try SandboxImage.all(texts) }
    }
}
