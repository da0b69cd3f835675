public import Digests

/// What a principal proves itself with: text that nobody can guess, of which only the digest is kept.
///
/// 256 random bits. So its digest needs no salt and no slow function, which are for secrets that people make up.
public struct Token: Sendable {
    private static let prefix = "sandglass_"

    /// What is sent: `Authorization: Bearer sandglass_…`.
    public let text: String

    /// A new one, from the system's random numbers (getrandom(2)).
    public init() {
        var random = SystemRandomNumberGenerator()
        var text = Self.prefix
        for _ in 0..<32 {
            let byte = UInt8.random(in: 0...255, using: &random)
            text += String(byte >> 4, radix: 16) + String(byte & 0xF, radix: 16)
        }
        self.text = text
    }

    /// What is kept of it.
    public var digest: SHA256Digest { SHA256Digest(of: Array(text.utf8)) }
}
