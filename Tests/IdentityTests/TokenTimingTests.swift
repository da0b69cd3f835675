import Digests
import Glibc
import Testing

@testable import Identity

/// How long it takes to say whose a token is says nothing about tokens.
@Suite struct TokenTimingTests {
    private static let size = 100

    private static let token = Array("sandglass_x".utf8)
    private static let digest = SHA256Digest(of: token).bytes

    /// A table in which every digest differs from the token's in one byte, but for those at some places.
    private static func table(differingAt byte: Int, equalAt places: Set<Int> = []) throws -> TokenTable {
        var other = digest
        other[byte] ^= 0x80
        let (own, others) = try (#require(SHA256Digest(bytes: digest)), #require(SHA256Digest(bytes: other)))
        return TokenTable(
            (0..<size).map { index in
                let principal = Principal(name: "p\(index)", roles: [.run])
                return TokenFile.Entry(principal, digests: [places.contains(index) ? own : others])
            }
        )
    }

    @Test func `it is the same for a digest that differs at its start and at its end, and for the first and the last`()
        throws
    {
        let tables = [
            try Self.table(differingAt: 0), try Self.table(differingAt: 31),
            try Self.table(differingAt: 0, equalAt: [0]), try Self.table(differingAt: 31, equalAt: [Self.size - 1]),
        ]
        var least = [Int](repeating: .max, count: tables.count)
        // Interleaved, and the least of each: what else the machine does only adds to it.
        for _ in 0..<100 {
            for (index, table) in tables.enumerated() {
                let start = Self.processorTime
                _ = table.principal(of: Self.token)
                least[index] = min(least[index], Self.processorTime - start)
            }
        }
        let (shortest, longest) = (Double(least.min() ?? 0), Double(least.max() ?? 0))
        // To stop at the first byte, or the first digest, makes it 35.
        #expect(longest / shortest < 2, "\(least)")
        #expect(tables.map { $0.principal(of: Self.token)?.name } == [nil, nil, "p0", "p\(Self.size - 1)"])
    }

    /// Of this thread, in nanoseconds.
    private static var processorTime: Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
