import Testing

@testable import Digests

struct SHA256HasherTests {
    @Test(arguments: [0, 1, 55, 56, 63, 64, 65, 1000]) func `pieces have the digest of the whole`(count: Int) {
        let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for size in [1, 7, 64, 1000] {
            var hasher = SHA256Hasher()
            for start in stride(from: 0, to: count, by: size) {
                message[start..<min(start + size, count)].withUnsafeBytes { hasher.update($0) }
            }
            #expect(hasher.finish() == SHA256Digest(of: message), "\(count) bytes in pieces of \(size)")
        }
    }

    @Test func `it begins anew when it has finished`() {
        var hasher = SHA256Hasher()
        ([1, 2, 3] as [UInt8]).withUnsafeBytes { hasher.update($0) }
        _ = hasher.finish()
        #expect(hasher.finish() == SHA256Digest(of: []))
    }
}
