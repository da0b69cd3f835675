/// A JSON value (RFC 8259 §3), as a strict reader of request bodies needs it.
///
/// The service has a JSON reader of its own because `JSONDecoder` of FoundationEssentials accepts texts that the HTTP
/// contract refuses. Examples are trailing commas, duplicate member names (the first one wins) and UTF-16.
///
/// A second reader of the same body (a proxy, an audit log) may understand such a text differently. ``JSONParser``
/// therefore refuses everything that RFC 8259 leaves to the implementation, and reports each fault with a
/// ``JSONPointer``.
///
/// Values are compared exactly. Strings are compared by their bytes and not by Unicode's canonical equivalence (RFC
/// 8259 §8.3), numbers by their literals, and objects including the order of their members.
package enum JSONValue: Sendable {
    /// The literal `null` (RFC 8259 §3).
    case null

    /// The literals `true` and `false` (RFC 8259 §3).
    case bool(Bool)

    /// A number, kept as its literal (RFC 8259 §6).
    case number(JSONNumber)

    /// A string without its escapes (RFC 8259 §7), which may contain U+0000.
    case string(String)

    /// The elements of an array (RFC 8259 §5).
    case array([JSONValue])

    /// The members of an object (RFC 8259 §4).
    case object(JSONObject)

    /// The name of the value's type for faults, with its article: `null`, `a boolean`, `a number`, `a string`, `an array`
    /// or `an object` (RFC 8259 §1).
    package var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue: Equatable {
    /// Returns whether both values come from the same text, apart from white space and escapes (RFC 8259 §8.3).
    package static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): ExactString(left) == ExactString(right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

/// Optional access by type: each property is `nil` for a value of another type.
///
/// A client reads the documents of other server versions with these: it takes the members that it knows and ignores
/// the rest.
extension JSONValue {
    package var string: String? { if case .string(let text) = self { text } else { nil } }
    package var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
    package var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    /// The number as an integer; `nil` also for a number that is not an integer.
    package var integer: Int? { if case .number(let number) = self { number.integer.map(Int.init) } else { nil } }
    package var double: Double? { if case .number(let number) = self { number.double } else { nil } }
    package var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
}

/// A JSON object (RFC 8259 §4): its members in the order of the text.
///
/// ``JSONParser`` never returns an object with two members of the same name.
package struct JSONObject: Sendable, Equatable {
    /// The members, in the order of the text.
    package var members: [JSONMember]

    /// Creates an object; the caller ensures that the names differ (RFC 8259 §4).
    package init(members: [JSONMember] = []) {
        self.members = members
    }

    /// The value of the first member with exactly this name (RFC 8259 §8.3); `nil` if there is none.
    ///
    /// The lookup takes time in proportion to the number of members. To visit all of them, iterate over ``members``.
    package subscript(name: String) -> JSONValue? {
        members.first { ExactString($0.name) == ExactString(name) }?.value
    }
}

/// A name and its value in a JSON object (RFC 8259 §4).
package struct JSONMember: Sendable, Equatable {
    /// The name, without its escapes; it may contain U+0000 (RFC 8259 §7).
    package var name: String

    /// The value (RFC 8259 §3).
    package var value: JSONValue

    package init(name: String, value: JSONValue) {
        self.name = name
        self.value = value
    }

    /// Returns whether name and value are the same; names are compared by their bytes (RFC 8259 §8.3).
    package static func == (left: JSONMember, right: JSONMember) -> Bool {
        ExactString(left.name) == ExactString(right.name) && left.value == right.value
    }
}
