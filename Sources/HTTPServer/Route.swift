/// A line of a router's table: a method, a pattern and what they lead to.
public struct Route<Value> {
    /// The method, such as `GET`, case-sensitive.
    public let method: String
    /// The pattern; see `Router`.
    public let pattern: String
    /// What a request that matches is for.
    public let value: Value

    /// Creates a line of the table.
    public init(_ method: String, _ pattern: String, _ value: Value) {
        self.method = method
        self.pattern = pattern
        self.value = value
    }
}

extension Route: Sendable where Value: Sendable {}
