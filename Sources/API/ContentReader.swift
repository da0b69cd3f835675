internal import Digests
internal import JSON
internal import Runs

/// Reads bytes that a body holds: text, or an object that says how they are written.
struct ContentReader {
    private static let must = "must be a string or an object with one of the members \"base64\" and \"blob\""

    private(set) var faults: [JSONFault] = []

    /// The bytes that a value is.
    ///
    /// - Parameters:
    ///   - value: a string or an object.
    ///   - place: where it is.
    ///   - others: what the object may say beside.
    /// - Returns: the bytes; none if there is a fault.
    mutating func content(_ value: JSONValue, _ place: JSONPointer, beside others: Set<String> = []) -> Content {
        switch value {
        case .string(let text): return .bytes(Array(text.utf8))
        case .object(let object):
            if object["base64"] == nil, object["blob"] == nil {
                refuse(place, Self.must)
            }
            if object["base64"] != nil, object["blob"] != nil { refuse(place, Self.must) }
            var content = Content.empty
            for member in object.members where !others.contains(member.name) {
                content = self.content(member, place.appending(member.name))
            }
            return content
        default:
            refuse(place, "\(Self.must), not \(value.typeName)")
            return .empty
        }
    }

    private mutating func content(_ member: JSONMember, _ place: JSONPointer) -> Content {
        switch member.name {
        case "base64":
            guard case .string(let text) = member.value else {
                refuse(place, "must be a string, not \(member.value.typeName)")
                return .empty
            }
            guard let bytes = Base64.decode(text) else {
                refuse(place, "must be base64 with padding and without white space (RFC 4648, section 4)")
                return .empty
            }
            return .bytes(bytes)
        case "blob":
            return blob(member.value, place)
        default:
            refuse(place, "is not known")
            return .empty
        }
    }

    /// A blob by its name; whether there is one is for the service to say.
    private mutating func blob(_ value: JSONValue, _ place: JSONPointer) -> Content {
        let prefix = "sha256:"
        guard case .string(let name) = value, name.hasPrefix(prefix),
            let digest = SHA256Digest(hexadecimal: String(name.dropFirst(prefix.count))),
            name == prefix + digest.hexadecimal
        else {
            refuse(place, "must be \"sha256:\" and the 64 hexadecimal digits of a blob's digest, in lower case")
            return .empty
        }
        return .blob(sha256: digest.hexadecimal)
    }

    private mutating func refuse(_ place: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: place, detail: detail))
    }
}
