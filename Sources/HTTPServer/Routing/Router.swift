/// A table of routes that finds the route of each request.
///
/// A pattern is a path with parameters: `{name}` matches one segment, and `text{name}` a segment that starts with that
/// text. A last `{name...}` matches the rest of the path. Of several matching patterns, the most literal one wins. GET
/// also serves HEAD, unless HEAD has its own route. OPTIONS is listed among the allowed methods. An OPTIONS request
/// without its own route is `methodNotAllowed`, whose list is the content of its response.
package struct Router<Value> {
    private let table: RouteTable
    /// The values of the routes, in the order of the initializer.
    package let values: [Value]

    /// Creates a router.
    ///
    /// The routes are part of the program: a malformed pattern or a repeated route stops it.
    package init(_ routes: [Route<Value>]) {
        table = RouteTable(routes.map { ($0.method, $0.pattern) })
        values = routes.map(\.value)
    }

    /// Returns the index of the matching route in ``values`` and its parameters, or the reason why no route matches.
    ///
    /// Code that does not depend on the type of the values runs several times faster than code that looks the type up
    /// at run time. The caller takes the value itself.
    package func match(_ request: Request) -> RouteMatch<Int> { table.match(request) }
}

extension Router: Sendable where Value: Sendable {}

/// A route: a method, a pattern and a value.
package struct Route<Value> {
    /// The method, such as `GET`, case-sensitive.
    package let method: String
    /// The pattern; see `Router`.
    package let pattern: String
    /// The value that the router returns for matching requests.
    package let value: Value

    /// Creates a route.
    package init(_ method: String, _ pattern: String, _ value: Value) {
        self.method = method
        self.pattern = pattern
        self.value = value
    }
}

extension Route: Sendable where Value: Sendable {}

/// The result of matching a request with the routes.
package enum RouteMatch<Value> {
    /// A route matches. The parameters hold the decoded parts of the path that its pattern names.
    case matched(Value, parameters: RouteParameters)
    /// No route has this path.
    case notFound
    /// Routes have this path, but none has this method. The list holds their methods, sorted, for an `Allow` header
    /// field.
    case methodNotAllowed(allow: [String])
}

extension RouteMatch: Sendable where Value: Sendable {}
extension RouteMatch: Equatable where Value: Equatable {}

/// The part of a router that does not depend on the type of its values.
///
/// Code that does not depend on that type runs several times faster than code that looks the type up at run time.
struct RouteTable: Sendable {
    private struct Entry: Sendable {
        let pattern: RoutePattern
        /// The methods with the indices of their routes.
        ///
        /// There are two or three: a dictionary would hash each request's method.
        var methods: [(name: String, index: Int)]

        func index(for method: String) -> Int? {
            for entry in methods where entry.name == method { return entry.index }
            return method == "HEAD" ? index(for: "GET") : nil
        }

        var allowedMethods: [String] {
            methods.map(\.name) + (index(for: "GET") == nil ? [] : ["HEAD"]) + ["OPTIONS"]
        }
    }

    private let entries: [Entry]

    /// Creates a table from the methods and patterns of routes.
    init(_ routes: [(method: String, pattern: String)]) {
        var entries: [Entry] = []
        for (index, route) in routes.enumerated() {
            let pattern = RoutePattern(route.pattern)
            let known = entries.firstIndex { $0.pattern == pattern }
            let entry = known ?? entries.endIndex
            if known == nil { entries.append(Entry(pattern: pattern, methods: [])) }
            let isNew = !entries[entry].methods.contains { $0.name == route.method }
            precondition(isNew, "The route \(route.method) \(route.pattern) is repeated.")
            entries[entry].methods.append((route.method, index))
        }
        self.entries = entries.sorted { $0.pattern.precedes($1.pattern) }
    }

    /// Returns the index of the route that matches a request.
    func match(_ request: Request) -> RouteMatch<Int> {
        var allow: Set<String> = []
        let count = request.location.segmentCount
        for entry in entries where entry.pattern.fits(count) {
            guard let parameters = entry.pattern.match(request.location) else { continue }
            if let index = entry.index(for: request.method) { return .matched(index, parameters: parameters) }
            allow.formUnion(entry.allowedMethods)
        }
        return allow.isEmpty ? .notFound : .methodNotAllowed(allow: allow.sorted())
    }
}
