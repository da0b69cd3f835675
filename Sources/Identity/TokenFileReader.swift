internal import Digests
internal import JSON

/// Reads the tree of a file of tokens, and notes all that is wrong with it.
struct TokenFileReader {
    private(set) var faults: [JSONFault] = []

    mutating func read(_ value: JSONValue) -> [TokenFile.Entry] {
        guard case .object(let file) = value else {
            refuse(.root, "must be an object, not \(value.typeName)")
            return []
        }
        refuseOthers(file, .root, than: ["principals"])
        let place = JSONPointer.root.appending("principals")
        guard case .array(let elements)? = file["principals"] else {
            refuse(place, "must be an array of objects")
            return []
        }
        var entries: [TokenFile.Entry] = []
        var names: Set<String> = []
        var digests: Set<SHA256Digest> = []
        for (index, element) in elements.enumerated() {
            let place = place.appending(index)
            guard let entry = entry(element, place) else { continue }
            if !names.insert(entry.principal.name).inserted {
                refuse(place.appending("name"), "another principal has this name")
            }
            for digest in entry.digests where !digests.insert(digest).inserted {
                refuse(place.appending("sha256"), "a token is there twice")
            }
            entries.append(entry)
        }
        return entries
    }

    private mutating func entry(_ value: JSONValue, _ place: JSONPointer) -> TokenFile.Entry? {
        guard case .object(let object) = value else {
            refuse(place, "must be an object, not \(value.typeName)")
            return nil
        }
        refuseOthers(object, place, than: ["name", "roles", "sha256", "concurrency", "queueLimit", "runsPerMinute"])
        let limits = PrincipalLimits(
            concurrency: number(object, "concurrency", place, 1...1_000_000),
            queued: number(object, "queueLimit", place, 0...1_000_000),
            runsPerMinute: number(object, "runsPerMinute", place, 1...60_000_000)
        )
        var name = ""
        if case .string(let text)? = object["name"], Principal.isName(text) {
            name = text
        } else {
            refuse(place.appending("name"), "must be 1 to 64 letters, digits, dots, hyphens and underscores")
        }
        let roles = roles(object["roles"], place.appending("roles"))
        let digests = digests(object["sha256"], place.appending("sha256"))
        return TokenFile.Entry(Principal(name: name, roles: roles, limits: limits), digests: digests)
    }

    private mutating func roles(_ value: JSONValue?, _ place: JSONPointer) -> Set<Role> {
        let known = Role.allCases.map(\.rawValue).joined(separator: ", ")
        guard case .array(let elements)? = value, !elements.isEmpty else {
            refuse(place, "must be an array of some of \(known)")
            return []
        }
        var roles: Set<Role> = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element, let role = Role(rawValue: text) else {
                refuse(place.appending(index), "must be one of \(known)")
                continue
            }
            roles.insert(role)
        }
        return roles
    }

    private mutating func digests(_ value: JSONValue?, _ place: JSONPointer) -> [SHA256Digest] {
        guard case .array(let elements)? = value else {
            refuse(place, "must be an array of SHA-256 digests")
            return []
        }
        var digests: [SHA256Digest] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element, let digest = SHA256Digest(hexadecimal: text) else {
                refuse(place.appending(index), "must be a SHA-256 digest: 64 hexadecimal digits")
                continue
            }
            digests.append(digest)
        }
        return digests
    }

    private mutating func number(
        _ object: JSONObject,
        _ name: String,
        _ place: JSONPointer,
        _ range: ClosedRange<Int>
    ) -> Int? {
        guard let value = object[name] else { return nil }
        guard case .number(let number) = value, let integer = number.integer, let result = Int(exactly: integer),
            range.contains(result)
        else {
            refuse(
                place.appending(name),
                "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
            return nil
        }
        return result
    }

    private mutating func refuseOthers(_ object: JSONObject, _ place: JSONPointer, than names: Set<String>) {
        for member in object.members where !names.contains(member.name) {
            refuse(place.appending(member.name), "is not known")
        }
    }

    private mutating func refuse(_ place: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: place, detail: detail))
    }
}
