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

/// The path pattern of a route, split into its parts.
struct RoutePattern: Equatable, Sendable {
    enum Part: Equatable, Sendable {
        /// Exactly this text.
        case literal([UInt8])
        /// Any text that is not empty, after a prefix: `{id}`, `sha256:{hex}`.
        case parameter(prefix: [UInt8])
        /// The rest of the path with its slashes: `{path...}`. It must be the last part, and it is not empty.
        case rest

        /// The rank of a part.
        ///
        /// Of two matching patterns, the one whose first different part has the lower rank wins.
        var rank: Int {
            switch self {
            case .literal: 0
            case .parameter(let prefix): prefix.isEmpty ? 2 : 1
            case .rest: 3
            }
        }
    }

    let parts: [Part]
    /// The names of the parameters, in order.
    let names: [String]

    /// Parses a pattern.
    ///
    /// Patterns are part of the program: a malformed one stops it.
    init(_ text: String) {
        precondition(text.first == "/", "The pattern \(text) does not start with a slash.")
        let words = text == "/" ? [] : text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        var names: [String] = []
        parts = words.map { word in
            guard let brace = word.firstIndex(of: "{") else { return .literal(Array(word.utf8)) }
            precondition(word.last == "}", "The pattern \(text) has text after a parameter.")
            let name = word[word.index(after: brace)...].dropLast()
            guard name.hasSuffix("...") else {
                names.append(String(name))
                return .parameter(prefix: Array(word[..<brace].utf8))
            }
            precondition(brace == word.startIndex, "The pattern \(text) has text before its last parameter.")
            names.append(String(name.dropLast(3)))
            return .rest
        }
        self.names = names
        let rests = parts.filter { $0 == .rest }.count
        precondition(
            rests == 0 || (rests == 1 && parts.last == .rest),
            "The pattern \(text) continues after the parameter for its rest."
        )
    }

    /// Returns whether a path with `count` segments can match.
    ///
    /// The count alone rules out most patterns.
    func fits(_ count: Int) -> Bool { parts.last == .rest ? count >= parts.count : count == parts.count }

    /// Returns the parameters of a path, or nil if the path does not match.
    func match(_ target: RequestTarget) -> RouteParameters? {
        var values: [String] = []
        var rest = target.afterFirstSlash
        for part in parts {
            let path = rest
            guard let segment = RequestTarget.nextSegment(of: &rest).map(target.decoded) else { return nil }
            switch part {
            case .literal(let text):
                guard segment.elementsEqual(text) else { return nil }
            case .parameter(let prefix):
                guard segment.count > prefix.count, segment.starts(with: prefix) else { return nil }
                values.append(String(decoding: segment.dropFirst(prefix.count), as: UTF8.self))
            case .rest:
                guard let path, !path.isEmpty else { return nil }
                values.append(String(decoding: target.decoded(path), as: UTF8.self))
                rest = nil
            }
        }
        return rest == nil ? RouteParameters(names: names, values: values) : nil
    }

    /// Returns whether the router tries this pattern before another one.
    func precedes(_ other: RoutePattern) -> Bool {
        parts.map(\.rank).lexicographicallyPrecedes(other.parts.map(\.rank))
    }
}

/// The decoded parts of a path that match the parameters of a pattern.
///
/// The parameters are two arrays, because a dictionary would be created and hashed for every request. A pattern has one
/// or two parameters.
package struct RouteParameters: Equatable, Sendable {
    private let names: [String]
    private let values: [String]

    init(names: [String], values: [String]) {
        self.names = names
        self.values = values
    }

    /// Returns the value of the parameter with this name, or nil if the pattern has none.
    package subscript(_ name: String) -> String? {
        names.firstIndex(of: name).map { values[$0] }
    }
}

extension RouteParameters: ExpressibleByDictionaryLiteral {
    /// Creates parameters from names and values, in the order of the pattern.
    package init(dictionaryLiteral elements: (String, String)...) {
        self.init(names: elements.map(\.0), values: elements.map(\.1))
    }
}
