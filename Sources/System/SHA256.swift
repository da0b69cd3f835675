internal import CNettle

/// A SHA-256 digest (FIPS 180-4).
package struct SHA256Digest: Sendable, Hashable {
    /// The 32 bytes of the digest.
    package let bytes: [UInt8]

    /// Computes the digest of a message.
    package init(of message: [UInt8]) {
        bytes = [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_SIZE)) { digest, count in
            message.withUnsafeBytes { sandglass_sha256($0.baseAddress, $0.count, digest.baseAddress) }
            count = Int(SHA256_DIGEST_SIZE)
        }
    }

    /// Wraps an earlier digest; `nil` unless there are exactly 32 bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Int(SHA256_DIGEST_SIZE) else { return nil }
        self.bytes = bytes
    }

    /// Wraps a digest that was just computed.
    fileprivate init(exactly bytes: [UInt8]) { self.bytes = bytes }

    /// Reads 64 hexadecimal digits of either case; `nil` for any other text.
    package init?(hexadecimal text: String) {
        let digits = text.utf8.compactMap(\.hexadecimalValue)
        guard digits.count == 2 * Int(SHA256_DIGEST_SIZE), text.utf8.count == digits.count else { return nil }
        bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// The digest as 64 lower-case hexadecimal digits.
    package var hexadecimal: String {
        bytes.reduce(into: "") { $0 += String($1 >> 4, radix: 16) + String($1 & 0xF, radix: 16) }
    }
}

/// A SHA-256 computation over bytes that arrive in pieces (FIPS 180-4).
package struct SHA256Hasher: Sendable {
    private var context: sha256_ctx

    /// Starts with an empty message.
    package init() {
        context = sha256_ctx()
        sandglass_sha256_init(&context)
    }

    /// Appends a piece to the message.
    package mutating func update(_ piece: UnsafeRawBufferPointer) {
        sandglass_sha256_update(&context, piece.baseAddress, piece.count)
    }

    /// Returns the digest of the message and starts over with an empty one.
    package mutating func finish() -> SHA256Digest {
        var bytes = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_SIZE))
        sandglass_sha256_digest(&context, &bytes)
        return SHA256Digest(exactly: bytes)
    }
}
