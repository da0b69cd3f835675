import System
import Testing

struct SHA256DigestTests {
    private func hexadecimal(_ message: [UInt8]) -> String {
        SHA256Digest(of: message).bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Source: NIST, Cryptographic Standards and Guidelines, example values for SHA-256.
    @Test func `the digests of the standard's examples are correct`() {
        #expect(hexadecimal([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(hexadecimal(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hexadecimal(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        )
        #expect(
            hexadecimal([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        )
    }

    @Test func `a digest is restored from exactly 32 bytes`() {
        let digest = SHA256Digest(of: [1, 2, 3])
        #expect(SHA256Digest(bytes: digest.bytes) == digest)
        #expect(SHA256Digest(bytes: Array(digest.bytes.dropLast())) == nil)
        #expect(SHA256Digest(of: [1, 2, 4]) != digest)
    }
}

struct SHA256HasherTests {
    @Test(arguments: [0, 1, 55, 56, 63, 64, 65, 1000]) func `a message in pieces has the digest of the whole`(
        count: Int
    ) {
        let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for size in [1, 7, 64, 1000] {
            var hasher = SHA256Hasher()
            for start in stride(from: 0, to: count, by: size) {
                message[start..<min(start + size, count)].withUnsafeBytes { hasher.update($0) }
            }
            #expect(hasher.finish() == SHA256Digest(of: message), "\(count) bytes in pieces of \(size)")
        }
    }

    @Test func `a hasher starts over after it has finished`() {
        var hasher = SHA256Hasher()
        ([1, 2, 3] as [UInt8]).withUnsafeBytes { hasher.update($0) }
        _ = hasher.finish()
        #expect(hasher.finish() == SHA256Digest(of: []))
    }
}
