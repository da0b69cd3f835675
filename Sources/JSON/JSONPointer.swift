/// Where in a JSON text something is (RFC 6901 §3): `/limits/memoryBytes`, `/command/0`; empty for the whole text.
public struct JSONPointer: Sendable, Hashable, CustomStringConvertible {
    /// The pointer in its string representation (RFC 6901 §5).
    public private(set) var description: String

    /// The pointer to the whole text (RFC 6901 §5).
    public static let root = JSONPointer()

    /// The pointer to the whole text (RFC 6901 §5).
    public init() {
        description = ""
    }

    /// The pointer to a member of the object that this one points to; `~` and `/` in its name become `~0` and `~1`
    /// (RFC 6901 §3).
    public func appending(_ name: String) -> JSONPointer {
        var pointer = self
        pointer.append(name)
        return pointer
    }

    /// The pointer to an element of the array that this one points to, counted from zero (RFC 6901 §4).
    public func appending(_ index: Int) -> JSONPointer {
        var pointer = self
        pointer.append(index)
        return pointer
    }

    mutating func append(_ name: String) {
        description += "/"
        guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else {
            description += name
            return
        }
        for scalar in name.unicodeScalars {
            switch scalar {
            case "~": description += "~0"
            case "/": description += "~1"
            default: description.unicodeScalars.append(scalar)
            }
        }
    }

    mutating func append(_ index: Int) {
        description += "/"
        description += String(index)
    }

    /// Whether both pointers are the same bytes (RFC 6901 §4: names are compared without normalization).
    public static func == (left: JSONPointer, right: JSONPointer) -> Bool {
        ExactString(left.description) == ExactString(right.description)
    }

    /// Hashes the pointer's bytes.
    public func hash(into hasher: inout Hasher) {
        ExactString(description).hash(into: &hasher)
    }
}
