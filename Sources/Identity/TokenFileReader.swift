internal import JSON
internal import System

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
