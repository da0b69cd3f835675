import Glibc
import Testing

@testable import Sandbox

@Suite struct HostUserRangeTests {
    /// Returns a grid of ids that no other test and no other process claims.
    private func grid(_ test: UInt32, blocks: Int) -> HostUserRange.Grid {
        HostUserRange.Grid(first: 3_000_000_000 + 8 * UInt32(getpid()) + test, blockSize: 1, blocks: blocks)
    }

    @Test func `two claims are of different ranges`() throws {
        let first = try HostUserRange.claim(from: grid(0, blocks: 2))
        let second = try HostUserRange.claim(from: grid(0, blocks: 2))
        let areDifferent = first.first != second.first
        #expect(areDifferent)
    }

    @Test func `a range can be claimed again only after its release`() throws {
        do {
            let held = try HostUserRange.claim(from: grid(2, blocks: 1))
            #expect(throws: SetupFailure(step: .identity, number: EUSERS)) {
                _ = try HostUserRange.claim(from: grid(2, blocks: 1))
            }
            _ = consume held
        }
        #expect(throws: Never.self) { _ = try HostUserRange.claim(from: grid(2, blocks: 1)) }
    }

    @Test func `ranges stay below the reserved user ids`() {
        for grid in [HostUserRange.Grid.preferred, .withinContainer] {
            #expect(UInt64(grid.first) + UInt64(grid.blocks * grid.blockSize) <= 2_147_483_647)
        }
    }
}
