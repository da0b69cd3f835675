internal import CNettle

/// The SHA-256 of some bytes: two that are the same are of the same bytes.
///
/// Source: FIPS 180-4.
public struct SHA256Digest: Sendable, Hashable {
    /// Its 32 bytes.
    public let bytes: [UInt8]

    /// The digest of these bytes.
    public init(of message: [UInt8]) {
        bytes = [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_SIZE)) { digest, count in
            message.withUnsafeBytes { sandglass_sha256($0.baseAddress, $0.count, digest.baseAddress) }
            count = Int(SHA256_DIGEST_SIZE)
        }
    }

    /// One that was computed before; `nil` if there are not just 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Int(SHA256_DIGEST_SIZE) else { return nil }
        self.bytes = bytes
    }
}
