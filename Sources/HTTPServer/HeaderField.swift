/// A header's name and value, as a response sends it.
public struct HeaderField: Equatable, Hashable, Sendable {
    /// The name, in the spelling it is sent with.
    public var name: String
    /// The value, without white space around it.
    public var value: String

    /// Creates a field.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
