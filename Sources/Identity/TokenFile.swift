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

/// Decodes the JSON value of a token file and collects every fault.
struct TokenFileReader {
    private(set) var faults: [JSONFault] = []

    /// Returns the valid entries of a file; ``faults`` lists the rest.
    mutating func read(_ value: JSONValue) -> [TokenFile.Entry] {
        guard case .object(let file) = value else {
            refuse(.root, "must be an object, not \(value.typeName)")
            return []
        }
        refuseUnknownMembers(of: file, at: .root, except: ["principals"])
        let list = JSONPointer.root.appending("principals")
        guard case .array(let elements)? = file["principals"] else {
            refuse(list, "must be an array of objects")
            return []
        }
        var entries: [TokenFile.Entry] = []
        var names: Set<String> = []
        var digests: Set<SHA256Digest> = []
        for (index, element) in elements.enumerated() {
            let pointer = list.appending(index)
            guard let entry = entry(element, pointer) else { continue }
            if !names.insert(entry.principal.name).inserted {
                refuse(pointer.appending("name"), "must be unique; another principal has this name")
            }
            for digest in entry.digests where !digests.insert(digest).inserted {
                refuse(pointer.appending("sha256"), "contains a digest that occurs twice in the file")
            }
            entries.append(entry)
        }
        return entries
    }

    private mutating func entry(_ value: JSONValue, _ pointer: JSONPointer) -> TokenFile.Entry? {
        guard case .object(let object) = value else {
            refuse(pointer, "must be an object, not \(value.typeName)")
            return nil
        }
        refuseUnknownMembers(
            of: object,
            at: pointer,
            except: ["name", "roles", "sha256", "concurrency", "queueLimit", "runsPerMinute"]
        )
        let limits = PrincipalLimits(
            concurrency: number(object, "concurrency", pointer, 1...1_000_000),
            queued: number(object, "queueLimit", pointer, 0...1_000_000),
            runsPerMinute: number(object, "runsPerMinute", pointer, 1...60_000_000)
        )
        var name = ""
        if case .string(let text)? = object["name"], Principal.isValidName(text) {
            name = text
        } else {
            refuse(pointer.appending("name"), "must be 1 to 64 letters, digits, dots, hyphens and underscores")
        }
        let roles = roles(object["roles"], pointer.appending("roles"))
        let digests = digests(object["sha256"], pointer.appending("sha256"))
        return TokenFile.Entry(Principal(name: name, roles: roles, limits: limits), digests: digests)
    }

    private mutating func roles(_ value: JSONValue?, _ pointer: JSONPointer) -> Set<Role> {
        let known = Role.allCases.map(\.rawValue).joined(separator: ", ")
        guard case .array(let elements)? = value, !elements.isEmpty else {
            refuse(pointer, "must be a non-empty array of roles: \(known)")
            return []
        }
        var roles: Set<Role> = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element, let role = Role(rawValue: text) else {
                refuse(pointer.appending(index), "must be one of \(known)")
                continue
            }
            roles.insert(role)
        }
        return roles
    }

    private mutating func digests(_ value: JSONValue?, _ pointer: JSONPointer) -> [SHA256Digest] {
        guard case .array(let elements)? = value else {
            refuse(pointer, "must be an array of SHA-256 digests")
            return []
        }
        var digests: [SHA256Digest] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element, let digest = SHA256Digest(hexadecimal: text) else {
                refuse(pointer.appending(index), "must be a SHA-256 digest: 64 hexadecimal digits")
                continue
            }
            digests.append(digest)
        }
        return digests
    }

    private mutating func number(
        _ object: JSONObject,
        _ name: String,
        _ pointer: JSONPointer,
        _ range: ClosedRange<Int>
    ) -> Int? {
        guard let value = object[name] else { return nil }
        guard case .number(let number) = value, let integer = number.integer, let result = Int(exactly: integer),
            range.contains(result)
        else {
            refuse(
                pointer.appending(name),
                "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
            return nil
        }
        return result
    }

    private mutating func refuseUnknownMembers(
        of object: JSONObject,
        at pointer: JSONPointer,
        except names: Set<String>
    ) {
        for member in object.members where !names.contains(member.name) {
            refuse(pointer.appending(member.name), "is not a known member; remove it")
        }
    }

    private mutating func refuse(_ pointer: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: pointer, detail: detail))
    }
}
