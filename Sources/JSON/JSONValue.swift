/// A JSON value (RFC 8259 §3), as a strict reader of a request body needs it.
///
/// This module is the service's own code, and not `JSONDecoder` of FoundationEssentials, because that one accepts
/// what the HTTP contract refuses: trailing commas, duplicate member names (the first one wins) and UTF-16. A second
/// reader of the same body (a proxy, an audit log) may understand such a text differently, so ``JSONParser`` refuses
/// all that RFC 8259 leaves to the implementation, and says where, with a ``JSONPointer`` for every fault.
///
/// Values are compared exactly: strings by their bytes and not by Unicode's canonical equivalence (RFC 8259 §8.3),
/// numbers by their spelling, objects with the order of their members.
public enum JSONValue: Sendable {
    /// The literal `null` (RFC 8259 §3).
    case null

    /// The literals `true` and `false` (RFC 8259 §3).
    case bool(Bool)

    /// A number, as it was written (RFC 8259 §6).
    case number(JSONNumber)

    /// A string without its escapes (RFC 8259 §7). It may hold U+0000.
    case string(String)

    /// An array's elements (RFC 8259 §5).
    case array([JSONValue])

    /// An object's members (RFC 8259 §4).
    case object(JSONObject)

    /// What a fault calls this value: `null`, `boolean`, `number`, `string`, `array` or `object` (RFC 8259 §1).
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}

extension JSONValue: Equatable {
    /// Whether both are the same text but for white space and escapes; see ``JSONValue`` (RFC 8259 §8.3).
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
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
