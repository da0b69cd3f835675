import Glibc
import System
import Testing

@testable import Identity

/// Tests that the time of a token check reveals nothing about the tokens.
@Suite struct TokenTimingTests {
    private static let size = 100

    private static let token = Array("sandglass_x".utf8)
    private static let digest = SHA256Digest(of: token).bytes

    /// Creates a table of digests that differ from the token's digest in one byte, except at the given indices.
    private static func table(differingAt byte: Int, equalAt equalIndices: Set<Int> = []) throws -> TokenTable {
        var other = digest
        other[byte] ^= 0x80
        let (own, others) = try (#require(SHA256Digest(bytes: digest)), #require(SHA256Digest(bytes: other)))
        return TokenTable(
            (0..<size).map { index in
                let principal = Principal(name: "p\(index)", roles: [.run])
                return TokenFile.Entry(principal, digests: [equalIndices.contains(index) ? own : others])
            }
        )
    }

    @Test func `the time depends neither on the first differing byte nor on the position of the match`()
        throws
    {
        let tables = [
            try Self.table(differingAt: 0), try Self.table(differingAt: 31),
            try Self.table(differingAt: 0, equalAt: [0]), try Self.table(differingAt: 31, equalAt: [Self.size - 1]),
        ]
        var least = [Int](repeating: .max, count: tables.count)
        // The tables alternate, and the minimum of each counts, because other load on the machine can only add time.
        for _ in 0..<100 {
            for (index, table) in tables.enumerated() {
                let start = Self.cpuTime
                _ = table.principal(of: Self.token)
                least[index] = min(least[index], Self.cpuTime - start)
            }
        }
        let (shortest, longest) = (Double(least.min() ?? 0), Double(least.max() ?? 0))
        // A check that stops at the first byte or at the first digest gives a ratio of 35.
        #expect(longest / shortest < 2, "\(least)")
        #expect(tables.map { $0.principal(of: Self.token)?.name } == [nil, nil, "p0", "p\(Self.size - 1)"])
    }

    /// The CPU time of this thread in nanoseconds.
    private static var cpuTime: Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
