package import System

/// A secret that authenticates a principal; the server stores only its digest.
///
/// A token has 256 random bits. Its digest therefore needs neither a salt nor a slow hash function: both protect
/// secrets that people choose.
package struct Token: Sendable {
    private static let prefix = "sandglass_"

    /// The text that a client sends: `Authorization: Bearer sandglass_…`.
    package let text: String

    /// Creates a token from the system's random numbers (getrandom(2)).
    package init() {
        var random = SystemRandomNumberGenerator()
        var text = Self.prefix
        for _ in 0..<32 {
            let byte = UInt8.random(in: 0...255, using: &random)
            text += String(byte >> 4, radix: 16) + String(byte & 0xF, radix: 16)
        }
        self.text = text
    }

    /// The digest that the server stores.
    package var digest: SHA256Digest { SHA256Digest(of: Array(text.utf8)) }
}

/// The principals of a server by their tokens.
package struct TokenTable: Sendable {
    private let entries: [(digest: [UInt8], principal: Principal)]

    /// Creates a table of the entries of a token file.
    package init(_ principals: [TokenFile.Entry]) {
        entries = principals.flatMap { entry in entry.digests.map { ($0.bytes, entry.principal) } }
    }

    /// The principals that have at least one token, each once.
    package var principals: [Principal] {
        var seen: Set<String> = []
        return entries.compactMap { seen.insert($0.principal.name).inserted ? $0.principal : nil }
    }

    /// Returns the principal of a token, or `nil` if the token is invalid.
    ///
    /// The time depends neither on the principal nor on the number of matching bytes. The token's digest is compared
    /// with every stored digest, and each comparison runs to the last byte.
    package func principal(of token: [UInt8]) -> Principal? {
        let digest = SHA256Digest(of: token).bytes
        var found: Int?
        for index in entries.indices {
            var difference: UInt8 = 0
            for (left, right) in zip(entries[index].digest, digest) { difference |= left ^ right }
            found = difference == 0 ? index : found
        }
        return found.map { entries[$0].principal }
    }
}
