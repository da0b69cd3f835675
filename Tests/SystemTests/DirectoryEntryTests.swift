import Glibc
import System
import TestSupport
import Testing

@Suite struct DirectoryEntryTests {
    @Test func `entries have their names and kinds, without the directory and its parent`() throws {
        let directory = try ScratchDirectory()
        try directory.makeFile("file", "")
        mkdir(directory.path + "/directory", 0o700)
        symlink("file", directory.path + "/link")
        mkfifo(directory.path + "/fifo", 0o600)
        let opened = Descriptor(owning: open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        var kinds: [String: DirectoryEntry.Kind] = [:]
        try DirectoryEntry.forEach(in: opened) { kinds[$0.text] = $0.kind }
        #expect(kinds == ["file": .file, "directory": .directory, "link": .symbolicLink, "fifo": .other])
        #expect(DirectoryEntry.names(at: directory.path).sorted() == ["directory", "fifo", "file", "link"])
    }

    @Test func `a name that is not UTF-8 keeps its bytes`() throws {
        let directory = try ScratchDirectory()
        let name: [UInt8] = [0x61, 0xFF, 0x0A]
        let path = Array(directory.path.utf8) + [UInt8(ascii: "/")] + name + [0]
        let file = path.map(CChar.init(bitPattern:)).withUnsafeBufferPointer { path in
            path.baseAddress.map { open($0, O_WRONLY | O_CREAT, 0o600) } ?? -1
        }
        try #require(file >= 0)
        close(file)
        var names: [[UInt8]] = []
        try DirectoryEntry.forEach(at: directory.path) { names.append($0.name) }
        #expect(names == [name])
    }

    @Test func `a missing directory is an error with its path, and has no names`() {
        let error = #expect(throws: SystemError.self) { try DirectoryEntry.forEach(at: "/no/such/directory") { _ in } }
        #expect(error?.name == "ENOENT")
        #expect(error?.operation == "open /no/such/directory")
        #expect(DirectoryEntry.names(at: "/no/such/directory") == [])
    }
}
