/// A name and its value in a JSON object (RFC 8259 §4).
public struct JSONMember: Sendable, Equatable {
    /// The name, without its escapes; it may hold U+0000 (RFC 8259 §7).
    public var name: String

    /// The value (RFC 8259 §3).
    public var value: JSONValue

    /// A member with this name and value (RFC 8259 §4).
    public init(name: String, value: JSONValue) {
        self.name = name
        self.value = value
    }

    /// Whether name and value are the same; names are compared by their bytes (RFC 8259 §8.3).
    public static func == (left: JSONMember, right: JSONMember) -> Bool {
        ExactString(left.name) == ExactString(right.name) && left.value == right.value
    }
}
