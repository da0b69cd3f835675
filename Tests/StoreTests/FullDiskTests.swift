import Glibc
import Runs
import TestSupport
import Testing

@testable import Store

@Suite(.enabled(if: geteuid() == 0, "only root mounts a small file system")) struct FullDiskTests {
    @Test func `when the disk is full, what fits is kept and the failure is told`() throws {
        try withSmallDisk { folder in
            let recorder = OutputRecorder(path: folder + "/out")
            recorder.append(count: 9000)
            recorder.append(count: 1 << 20)
            let kept = recorder.captured(totalBytes: 9000 + 1 << 20)
            #expect(recorder.failure?.operation == "write")
            #expect(recorder.failure?.number == ENOSPC)
            #expect(kept.truncated)
            #expect((9000...65_536).contains(kept.keptBytes))
            #expect(ScratchFolder.contents(of: folder + "/out")?.count == kept.keptBytes)
        }
    }

    @Test func `when the disk is full, what is in memory is kept`() throws {
        try withSmallDisk { folder in
            let filler = OutputRecorder(path: folder + "/filler")
            filler.append(count: 1 << 20)
            let recorder = OutputRecorder(path: folder + "/out")
            recorder.append(count: 8192)
            recorder.append(count: 8192)
            #expect(recorder.failure?.number == ENOSPC)
            #expect(recorder.captured(totalBytes: 16_384).keptBytes >= 8192)
        }
    }

    /// A file system of 64 KiB, in a mount of its own.
    private func withSmallDisk(_ body: (String) throws -> Void) throws {
        let folder = try ScratchFolder()
        try #require(mount("tmpfs", folder.path, "tmpfs", 0, "size=64k") == 0)
        defer { umount(folder.path) }
        try body(folder.path)
    }
}
