import Glibc
import System
import TestSupport
import Testing

@Suite struct FileIOTests {
    @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 300_000])
    func `a file is read as it was written`(count: Int) throws {
        let directory = try ScratchDirectory()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let file = Descriptor(owning: open(directory.path + "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
        try FileIO.writeAll(bytes, to: file.raw)
        #expect(lseek(file.raw, 0, SEEK_SET) == 0)
        #expect(try FileIO.readAll(file.raw, atMost: count + 1) == bytes)
        #expect(lseek(file.raw, 0, SEEK_SET) == 0)
        #expect(try FileIO.readAll(file.raw, atMost: count / 2) == Array(bytes.prefix(count / 2)))
    }

    @Test func `a full device is an error with its number`() throws {
        let full = Descriptor(owning: open("/dev/full", O_WRONLY | O_CLOEXEC))
        let error = #expect(throws: SystemError.self) { try FileIO.writeAll([1], to: full.raw) }
        #expect(error?.name == "ENOSPC")
    }

    @Test func `a directory cannot be read as a file`() throws {
        let directory = Descriptor(owning: open("/", O_RDONLY | O_CLOEXEC))
        let error = #expect(throws: SystemError.self) { try FileIO.readAll(directory.raw, atMost: 1) }
        #expect(error?.name == "EISDIR")
    }

    @Test func `an interrupted call is repeated, and any other error is returned`() {
        var results = [EINTR, EINTR, EAGAIN]
        let count = FileIO.retrying {
            errno = results.removeFirst()
            return -1
        }
        #expect(count == -1)
        #expect(errno == EAGAIN)
        #expect(results.isEmpty)
    }
}
