import Glibc
import Testing

@testable import Sandbox

@Suite struct HostUserRangeTests {
    /// Ids that no other test, nor another process's, claims.
    private func grid(_ test: UInt32, blocks: Int) -> HostUserRange.Grid {
        HostUserRange.Grid(first: 3_000_000_000 + 8 * UInt32(getpid()) + test, blockSize: 1, blocks: blocks)
    }

    @Test func `two claims are two ranges`() throws {
        let first = try HostUserRange.claim(from: grid(0, blocks: 2))
        let second = try HostUserRange.claim(from: grid(0, blocks: 2))
        let apart = first.first != second.first
        #expect(apart)
    }

    @Test func `a range that is let go can be claimed again, and one that is held cannot`() throws {
        do {
            let held = try HostUserRange.claim(from: grid(2, blocks: 1))
            #expect(throws: SetupFailure(step: .identity, number: EUSERS)) {
                _ = try HostUserRange.claim(from: grid(2, blocks: 1))
            }
            _ = consume held
        }
        #expect(throws: Never.self) { _ = try HostUserRange.claim(from: grid(2, blocks: 1)) }
    }

    @Test func `ranges stay below what user ids are kept for`() {
        for grid in [HostUserRange.Grid.preferred, .withinContainer] {
            #expect(UInt64(grid.first) + UInt64(grid.blocks * grid.blockSize) <= 2_147_483_647)
        }
    }
}
