internal import JSON
package import System

/// The token file: the names, roles and limits of principals, and the digests of their tokens, but never a token.
///
///     {"principals": [
///       {"name": "ci", "roles": ["run", "read"], "sha256": ["5e88…"], "concurrency": 2}
///     ]}
package struct TokenFile: Sendable, Equatable {
    /// A principal and the digests of its tokens: several while the operator replaces an old token.
    package struct Entry: Sendable, Equatable {
        /// The principal.
        package var principal: Principal
        /// The digests of the principal's tokens.
        package var digests: [SHA256Digest]

        /// Creates an entry.
        package init(_ principal: Principal, digests: [SHA256Digest]) {
            self.principal = principal
            self.digests = digests
        }
    }

    /// The principals, in the order of the file.
    package var entries: [Entry]

    /// Creates a token file.
    package init(entries: [Entry] = []) {
        self.entries = entries
    }

    /// Parses the text of a token file.
    ///
    /// - Throws: ``TokenFileError`` with every fault of the file.
    package init(_ text: [UInt8]) throws(TokenFileError) {
        let value: JSONValue
        do throws(JSONParseError) {
            value = try JSONParser.parse(text)
        } catch {
            throw TokenFileError(faults: error.faults)
        }
        var reader = TokenFileReader()
        entries = reader.read(value)
        guard reader.faults.isEmpty else { throw TokenFileError(faults: reader.faults) }
    }

    /// The text of the file, with one line per principal.
    package var text: [UInt8] {
        var text = Array("{\"principals\": [".utf8)
        for (index, entry) in entries.enumerated() {
            var line = JSONWriter()
            line.object { object in
                object.member("name", entry.principal.name)
                object.member("roles") { roles in
                    roles.array { for role in entry.principal.roles.sorted() { $0.element(role.rawValue) } }
                }
                object.member("sha256") { digests in
                    digests.array { for digest in entry.digests { $0.element(digest.hexadecimal) } }
                }
                let limits = entry.principal.limits
                for (name, limit) in [
                    ("concurrency", limits.concurrency), ("queueLimit", limits.queued),
                    ("runsPerMinute", limits.runsPerMinute),
                ] {
                    if let limit { object.member(name, limit) }
                }
            }
            text += Array((index == 0 ? "\n  " : ",\n  ").utf8) + line.bytes
        }
        return text + Array("\n]}\n".utf8)
    }
}

/// The reasons why a token file is invalid.
package struct TokenFileError: Error, CustomStringConvertible {
    /// Every fault of the file, in one line.
    package let description: String

    init(faults: [JSONFault]) {
        description = faults.map { fault in
            let pointer = fault.pointer.description
            return pointer.isEmpty ? fault.detail : "\(pointer): \(fault.detail)"
        }.joined(separator: "; ")
    }
}

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
