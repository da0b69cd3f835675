internal import JSON
internal import Runs

/// Reads bytes that a body holds: text, or an object that says how they are written.
struct ContentReader {
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
                refuse(place, "must be a string or an object with the one member \"base64\"")
            }
            var content = Content.empty
            for member in object.members where !others.contains(member.name) {
                content = self.content(member, place.appending(member.name))
            }
            return content
        default:
            refuse(place, "must be a string or an object with the one member \"base64\", not \(value.typeName)")
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
            refuse(place, "is not offered by this server")
            return .empty
        default:
            refuse(place, "is not known")
            return .empty
        }
    }

    private mutating func refuse(_ place: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: place, detail: detail))
    }
}
