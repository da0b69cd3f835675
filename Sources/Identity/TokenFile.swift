public import Digests
internal import JSON

/// The file of principals: their names, roles and limits, and the digests of their tokens, never a token.
///
///     {"principals": [
///       {"name": "ci", "roles": ["run", "read"], "sha256": ["5e88…"], "concurrency": 2}
///     ]}
public struct TokenFile: Sendable, Equatable {
    /// A principal with its tokens: several while an old one is being replaced.
    public struct Entry: Sendable, Equatable {
        /// Who it is.
        public var principal: Principal
        /// The digests of its tokens.
        public var digests: [SHA256Digest]

        /// An entry.
        public init(_ principal: Principal, digests: [SHA256Digest]) {
            self.principal = principal
            self.digests = digests
        }
    }

    /// The principals, in the order of the file.
    public var entries: [Entry]

    /// A file of these principals.
    public init(entries: [Entry] = []) {
        self.entries = entries
    }

    /// Reads a file's text.
    ///
    /// - Throws: all that is wrong with it.
    public init(_ text: [UInt8]) throws(TokenFileError) {
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

    /// The text of the file, one line for a principal.
    public var text: [UInt8] {
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
