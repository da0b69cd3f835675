/// A table of routes, and who of them a request is for.
///
/// A pattern is a path in which `{name}` stands for one segment, `text{name}` for one that starts with that
/// text, and a last `{name...}` for all that is left. Of several patterns that match, the more literal one
/// counts. GET serves HEAD too, unless HEAD has its own line. OPTIONS is listed among what is allowed; an
/// OPTIONS request without its own line is `methodNotAllowed`, whose list is its answer.
public struct Router<Value> {
    @usableFromInline let table: RouteTable
    @usableFromInline let values: [Value]

    /// Reads a table, which is part of the program: a malformed pattern or the same line twice stops it.
    public init(_ routes: [Route<Value>]) {
        table = RouteTable(routes.map { ($0.method, $0.pattern) })
        values = routes.map(\.value)
    }

    /// Finds who a request is for: the table's value and the parameters, or why there is none.
    @inlinable
    public func match(_ request: Request) -> RouteMatch<Value> {
        // Inlinable, so that it is compiled for the values' type, where that is known.
        switch table.match(request) {
        case .matched(let index, let parameters): .matched(values[index], parameters: parameters)
        case .notFound: .notFound
        case .methodNotAllowed(let allow): .methodNotAllowed(allow: allow)
        }
    }
}

extension Router: Sendable where Value: Sendable {}
