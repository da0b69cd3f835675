import Glibc
import TestSupport
import Testing

@testable import Sandbox

struct FolderCopyTests {
    private func copy(of folder: ScratchFolder) -> [SandboxEntry]? {
        FolderCopy(of: folder.path, at: "/etc/x")?.entries
    }

    @Test func `folders, files and links are copied as they are`() throws {
        let folder = try ScratchFolder()
        try folder.makeFile("b", "text")
        try folder.makeFile("run", "", mode: 0o755)
        #expect(mkdir(folder.path + "/a", 0o755) == 0 && symlink("../b", folder.path + "/a/link") == 0)
        #expect(
            copy(of: folder) == [
                .directory("/etc/x"), .directory("/etc/x/a"), .symbolicLink("/etc/x/a/link", to: "../b"),
                .file("/etc/x/b", contents: Array("text".utf8)), .file("/etc/x/run", contents: [], isExecutable: true),
            ]
        )
    }

    @Test func `what not everybody may read is left out`() throws {
        let folder = try ScratchFolder()
        try folder.makeFile("secret", "password", mode: 0o640)
        #expect(mkdir(folder.path + "/private", 0o700) == 0)
        try folder.makeFile("private/file", "password")
        #expect(mkfifo(folder.path + "/pipe", 0o666) == 0)
        #expect(copy(of: folder) == [.directory("/etc/x")])
    }

    @Test func `a large folder is not copied`() throws {
        let folder = try ScratchFolder()
        try #expect(truncate(folder.makeFile("large", ""), 3 << 20) == 0)
        #expect(copy(of: folder) == nil)
    }

    @Test func `a folder of many files is not copied`() throws {
        let folder = try ScratchFolder()
        for number in 0..<2001 { #expect(symlink("x", folder.path + "/\(number)") == 0) }
        #expect(copy(of: folder) == nil)
    }
}
