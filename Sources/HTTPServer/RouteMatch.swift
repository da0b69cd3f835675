/// What a router says of a request.
public enum RouteMatch<Value> {
    /// It is for this, with what stood in the places of the pattern's parameters, decoded.
    case matched(Value, parameters: RouteParameters)
    /// Nothing has this path.
    case notFound
    /// The path exists, the method there does not. What there is, sorted, for an `Allow` header.
    case methodNotAllowed(allow: [String])
}

extension RouteMatch: Sendable where Value: Sendable {}
extension RouteMatch: Equatable where Value: Equatable {}
