import Glibc
import RunModel
import TestSupport
import Testing

@testable import Store

@Suite struct DataDirectoryTests {
    @Test func `only one server at a time can use a directory`() throws {
        let directory = try ScratchDirectory()
        let first = try DataDirectory(path: directory.path + "/data")
        #expect(throws: StoreError.self) { try DataDirectory(path: directory.path + "/data") }
        do {
            _ = try DataDirectory(path: directory.path + "/data")
        } catch {
            #expect(error.operation == "lock")
            #expect(error.number == EWOULDBLOCK)
            #expect("\(error)".contains("another sandglass"))
        }
        first.close()
        try DataDirectory(path: directory.path + "/data").close()
    }

    @Test func `a refused server does not change the files of the first one`() throws {
        let directory = try ScratchDirectory()
        let first = try DataDirectory(path: directory.path)
        try directory.makeFile("output/kept", "text")
        #expect(throws: StoreError.self) { try DataDirectory(path: directory.path) }
        #expect(ScratchDirectory.exists(directory.path + "/output/kept"))
        first.close()
    }

    @Test func `files of an earlier server stay`() throws {
        let directory = try ScratchDirectory()
        #expect(mkdir(directory.path + "/output", 0o700) == 0)
        for name in ["output/a.stdout", "sandglass.sqlite", "mine"] { try directory.makeFile(name, "kept") }
        try DataDirectory(path: directory.path).close()
        #expect(ScratchDirectory.names(in: directory.path) == ["blobs", "lock", "mine", "output", "sandglass.sqlite"])
        #expect(ScratchDirectory.names(in: directory.path + "/output") == ["a.stdout"])
    }

    @Test func `closing removes a temporary directory with all files of the store`() throws {
        let parent = try ScratchDirectory()
        let directory = try DataDirectory(temporaryIn: parent.path)
        let store = try RunStore(directory)
        store.insert(.make(1), RunSpecification(command: ["true"]), of: "")
        store.recorder(for: Run.make(2).id, .standardOutput).append(count: 9000)
        store.close()
        #expect(ScratchDirectory.names(in: parent.path) == [])
    }

    @Test func `a temporary directory is new, private and removed`() throws {
        let parent = try ScratchDirectory()
        let directory = try DataDirectory(temporaryIn: parent.path)
        let other = try DataDirectory(temporaryIn: parent.path)
        #expect(directory.path != other.path)
        var status = stat()
        #expect(stat(directory.path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
        directory.close()
        other.close()
        #expect(ScratchDirectory.names(in: directory.path) == [])
    }

    @Test func `the next server removes an unlocked temporary directory`() throws {
        let directory = try ScratchDirectory()
        let killed = directory.path + "/sandglass-abcdef"
        #expect(mkdir(killed, 0o700) == 0)
        for name in ["temporary", "sandglass.sqlite"] { try directory.makeFile("sandglass-abcdef/" + name, "") }
        #expect(mkdir(killed + "/output", 0o700) == 0)
        try DataDirectory(temporaryIn: directory.path).close()
        #expect(ScratchDirectory.names(in: directory.path) == [])
    }

    @Test func `a permanent directory is not taken for a temporary one, whatever its name`() throws {
        let directory = try ScratchDirectory()
        let chosen = directory.path + "/sandglass-data"
        try DataDirectory(path: chosen).close()
        try directory.makeFile("sandglass-data/sandglass.sqlite", "kept")
        try directory.makeFile("sandglass-data/output/kept", "")
        try DataDirectory(temporaryIn: directory.path).close()
        #expect(ScratchDirectory.names(in: chosen) == ["blobs", "lock", "output", "sandglass.sqlite"])
        #expect(ScratchDirectory.names(in: chosen + "/output") == ["kept"])
    }

    @Test func `a missing parent is an error with path and errno`() throws {
        do {
            _ = try DataDirectory(path: "/does/not/exist")
            Issue.record("the directory was opened")
        } catch {
            #expect(error.operation == "mkdir")
            #expect(error.path == "/does/not/exist")
            #expect(error.number == ENOENT)
        }
        #expect(throws: StoreError.self) { try DataDirectory(temporaryIn: "/does/not/exist") }
    }

    @Test func `a regular file is refused`() throws {
        let directory = try ScratchDirectory()
        let file = try directory.makeFile("file", "")
        #expect(throws: StoreError.self) { try DataDirectory(path: file) }
    }

    @Test func `a lock file that is a symbolic link is refused`() throws {
        let directory = try ScratchDirectory()
        let target = try directory.makeFile("target", "")
        #expect(symlink(target, directory.path + "/lock") == 0)
        #expect(throws: StoreError.self) { try DataDirectory(path: directory.path) }
    }

    // MARK: Free space

    @Test(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
    func `a disk with less free space than runs need is full`() async throws {
        // The proc file system does not know its size.
        try FreeSpace.check("/proc")
        try await withSmallDisk { directory in
            let error = try #require(throws: StoreError.self) { try FreeSpace.check(directory) }
            #expect(error.isOutOfSpace)
            #expect(error.detail.contains("bytes of this file system can be used"))
        }
        let error = try #require(throws: StoreError.self) { try FreeSpace.check("/nowhere") }
        #expect(error.number == ENOENT)
    }
}
