/// A position in a JSON text (RFC 6901 §3), such as `/limits/memoryBytes` or `/command/0`; empty for the whole text.
package struct JSONPointer: Sendable, Hashable, CustomStringConvertible {
    /// The pointer in its string representation (RFC 6901 §5).
    package private(set) var description: String

    /// The pointer to the whole text (RFC 6901 §5).
    package static let root = JSONPointer()

    /// Creates the pointer to the whole text (RFC 6901 §5).
    package init() {
        description = ""
    }

    /// Returns the pointer to a member of the object at this position.
    ///
    /// `~` and `/` in the name become `~0` and `~1` (RFC 6901 §3).
    package func appending(_ name: String) -> JSONPointer {
        var pointer = self
        pointer.append(name)
        return pointer
    }

    /// Returns the pointer to an element of the array at this position, counted from zero (RFC 6901 §4).
    package func appending(_ index: Int) -> JSONPointer {
        var pointer = self
        pointer.append(index)
        return pointer
    }

    fileprivate mutating func append(_ name: String) {
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

    fileprivate mutating func append(_ index: Int) {
        description += "/"
        description += String(index)
    }

    /// Returns whether both pointers are the same bytes (RFC 6901 §4: names are compared without normalization).
    package static func == (left: JSONPointer, right: JSONPointer) -> Bool {
        ExactString(left.description) == ExactString(right.description)
    }

    /// Hashes the pointer's bytes.
    package func hash(into hasher: inout Hasher) {
        ExactString(description).hash(into: &hasher)
    }
}

/// One step from the root to the value that is being parsed.
///
/// The parser keeps steps and makes a ``JSONPointer`` of them only for a fault. A pointer for each value would cost a
/// copy of all the names around it.
enum JSONPathStep {
    case name(String)
    case index(Int)

    static func pointer(along path: [JSONPathStep]) -> JSONPointer {
        var pointer = JSONPointer.root
        for step in path {
            switch step {
            case .name(let name): pointer.append(name)
            case .index(let index): pointer.append(index)
            }
        }
        return pointer
    }
}
