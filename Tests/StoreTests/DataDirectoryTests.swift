import Glibc
import Runs
import TestSupport
import Testing

@testable import Store

@Suite struct DataDirectoryTests {
    @Test func `a folder is used by one service at a time`() throws {
        let folder = try ScratchFolder()
        let first = try DataDirectory(path: folder.path + "/data")
        #expect(throws: StoreError.self) { try DataDirectory(path: folder.path + "/data") }
        do {
            _ = try DataDirectory(path: folder.path + "/data")
        } catch {
            #expect(error.operation == "lock")
            #expect(error.number == EWOULDBLOCK)
            #expect("\(error)".contains("another sandglass"))
        }
        first.close()
        try DataDirectory(path: folder.path + "/data").close()
    }

    @Test func `a service that is refused leaves the other's files alone`() throws {
        let folder = try ScratchFolder()
        let first = try DataDirectory(path: folder.path)
        try folder.makeFile("output/kept", "text")
        #expect(throws: StoreError.self) { try DataDirectory(path: folder.path) }
        #expect(ScratchFolder.exists(folder.path + "/output/kept"))
        first.close()
    }

    @Test func `what an earlier service left stays`() throws {
        let folder = try ScratchFolder()
        #expect(mkdir(folder.path + "/output", 0o700) == 0)
        for name in ["output/a.stdout", "sandglass.sqlite", "mine"] { try folder.makeFile(name, "kept") }
        try DataDirectory(path: folder.path).close()
        #expect(ScratchFolder.names(in: folder.path) == ["blobs", "lock", "mine", "output", "sandglass.sqlite"])
        #expect(ScratchFolder.names(in: folder.path + "/output") == ["a.stdout"])
    }

    @Test func `a temporary folder goes with all that a service makes in it`() throws {
        let folder = try ScratchFolder()
        let directory = try DataDirectory(temporaryIn: folder.path)
        let store = try RunStore(directory)
        store.insert(.make(1), RunSpecification(command: ["true"]), of: "")
        store.recorder(for: Run.make(2).id, .standardOutput).append(count: 9000)
        store.close()
        #expect(ScratchFolder.names(in: folder.path) == [])
    }

    @Test func `a temporary folder is new, this user's alone, and removed`() throws {
        let folder = try ScratchFolder()
        let directory = try DataDirectory(temporaryIn: folder.path)
        let other = try DataDirectory(temporaryIn: folder.path)
        #expect(directory.path != other.path)
        var status = stat()
        #expect(stat(directory.path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
        directory.close()
        other.close()
        #expect(ScratchFolder.names(in: folder.path) == [])
    }

    @Test func `a temporary folder that nobody locks is removed by the next service`() throws {
        let folder = try ScratchFolder()
        let killed = folder.path + "/sandglass-abcdef"
        #expect(mkdir(killed, 0o700) == 0)
        for name in ["temporary", "sandglass.sqlite"] { try folder.makeFile("sandglass-abcdef/" + name, "") }
        #expect(mkdir(killed + "/output", 0o700) == 0)
        try DataDirectory(temporaryIn: folder.path).close()
        #expect(ScratchFolder.names(in: folder.path) == [])
    }

    @Test func `a data directory is not taken for a temporary one, whatever its name`() throws {
        let folder = try ScratchFolder()
        let chosen = folder.path + "/sandglass-data"
        try DataDirectory(path: chosen).close()
        try folder.makeFile("sandglass-data/sandglass.sqlite", "kept")
        try folder.makeFile("sandglass-data/output/kept", "")
        try DataDirectory(temporaryIn: folder.path).close()
        #expect(ScratchFolder.names(in: chosen) == ["blobs", "lock", "output", "sandglass.sqlite"])
        #expect(ScratchFolder.names(in: chosen + "/output") == ["kept"])
    }

    @Test func `a folder whose parent is missing is an error with the path and errno`() throws {
        do {
            _ = try DataDirectory(path: "/does/not/exist")
            Issue.record("it was opened")
        } catch {
            #expect(error.operation == "mkdir")
            #expect(error.path == "/does/not/exist")
            #expect(error.number == ENOENT)
        }
        #expect(throws: StoreError.self) { try DataDirectory(temporaryIn: "/does/not/exist") }
    }

    @Test func `a file is no folder`() throws {
        let folder = try ScratchFolder()
        let file = try folder.makeFile("file", "")
        #expect(throws: StoreError.self) { try DataDirectory(path: file) }
    }

    @Test func `a lock that is a link is not followed`() throws {
        let folder = try ScratchFolder()
        let target = try folder.makeFile("target", "")
        #expect(symlink(target, folder.path + "/lock") == 0)
        #expect(throws: StoreError.self) { try DataDirectory(path: folder.path) }
    }
}
