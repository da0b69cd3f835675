internal import CNettle

/// Computes the SHA-256 of bytes that come in pieces.
///
/// Source: FIPS 180-4.
public struct SHA256Hasher: Sendable {
    private var context: sha256_ctx

    /// Nothing has come yet.
    public init() {
        context = sha256_ctx()
        sandglass_sha256_init(&context)
    }

    /// Takes the next piece in.
    public mutating func update(_ piece: UnsafeRawBufferPointer) {
        sandglass_sha256_update(&context, piece.baseAddress, piece.count)
    }

    /// The digest of all that has come, after which it begins anew.
    public mutating func finish() -> SHA256Digest {
        var bytes = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_SIZE))
        sandglass_sha256_digest(&context, &bytes)
        return SHA256Digest(exactly: bytes)
    }
}
