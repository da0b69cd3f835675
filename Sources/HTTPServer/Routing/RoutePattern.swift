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
