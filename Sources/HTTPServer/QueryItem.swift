/// A name and a value of a target's query, decoded: `%41` and `+` stand for `A` and a space.
public struct QueryItem: Equatable, Sendable {
    /// The part before the first `=`.
    public let name: String
    /// The part after it; nil where there is no `=`.
    public let value: String?

    /// Creates an item.
    public init(name: String, value: String?) {
        self.name = name
        self.value = value
    }
}
