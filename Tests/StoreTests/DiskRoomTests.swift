import Glibc
import Testing

@testable import Store

@Suite(.enabled(if: geteuid() == 0, "only root mounts a small file system")) struct DiskRoomTests {
    @Test func `a disk with less room than runs need is full`() async throws {
        try DiskRoom.check("/proc")  // It does not know its size.
        try await withSmallDisk { folder in
            let error = try #require(throws: StoreError.self) { try DiskRoom.check(folder) }
            #expect(error.isOutOfSpace)
            #expect(error.detail.contains("bytes are free"))
        }
        let error = try #require(throws: StoreError.self) { try DiskRoom.check("/nowhere") }
        #expect(error.number == ENOENT)
    }
}
