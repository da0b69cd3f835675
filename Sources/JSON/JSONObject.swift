/// A JSON object (RFC 8259 §4): its members in the order of the text.
///
/// ``JSONParser`` never returns an object with two members of one name.
public struct JSONObject: Sendable, Equatable {
    /// The members, in the order of the text.
    public var members: [JSONMember]

    /// An object with these members; whoever builds one sees to it that their names differ (RFC 8259 §4).
    public init(members: [JSONMember] = []) {
        self.members = members
    }

    /// The value of the first member with exactly this name (RFC 8259 §8.3), or nil if there is none.
    ///
    /// Takes time in proportion to the number of members. To visit them all, iterate over ``members``.
    public subscript(name: String) -> JSONValue? {
        members.first { ExactString($0.name) == ExactString(name) }?.value
    }
}
