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

    /// One that was just computed.
    init(exactly bytes: [UInt8]) { self.bytes = bytes }

    /// One that was written as 64 hexadecimal digits; `nil` for any other text.
    public init?(hexadecimal text: String) {
        let digits = text.utf8.compactMap { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
            default: nil
            }
        }
        guard digits.count == 2 * Int(SHA256_DIGEST_SIZE), text.utf8.count == digits.count else { return nil }
        bytes = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// Its 64 hexadecimal digits, in lower case.
    public var hexadecimal: String {
        bytes.reduce(into: "") { $0 += String($1 >> 4, radix: 16) + String($1 & 0xF, radix: 16) }
    }
}
