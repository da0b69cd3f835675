/// A route's path, taken apart.
struct RoutePattern: Equatable, Sendable {
    enum Part: Equatable, Sendable {
        /// This text.
        case literal([UInt8])
        /// Any text that is not empty, after a prefix: `{id}`, `sha256:{hex}`.
        case parameter(prefix: [UInt8])
        /// All that is left, slashes included, not empty: `{path...}`. Only at the end.
        case rest

        /// Of two patterns that match, the one is taken whose first different part is lower.
        var rank: Int {
            switch self {
            case .literal: 0
            case .parameter(let prefix): prefix.isEmpty ? 2 : 1
            case .rest: 3
            }
        }
    }

    let parts: [Part]
    /// The parameters' names, in their order.
    let names: [String]

    /// Reads a pattern, which is part of the program: a malformed one stops it.
    init(_ text: String) {
        precondition(text.first == "/", "the pattern \(text) does not start with a slash")
        let words = text == "/" ? [] : text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        var names: [String] = []
        parts = words.map { word in
            guard let brace = word.firstIndex(of: "{") else { return .literal(Array(word.utf8)) }
            precondition(word.last == "}", "the pattern \(text) has text after a parameter")
            let name = word[word.index(after: brace)...].dropLast()
            guard name.hasSuffix("...") else {
                names.append(String(name))
                return .parameter(prefix: Array(word[..<brace].utf8))
            }
            precondition(brace == word.startIndex, "the pattern \(text) has text before its rest")
            names.append(String(name.dropLast(3)))
            return .rest
        }
        self.names = names
        let rests = parts.filter { $0 == .rest }.count
        precondition(rests == 0 || (rests == 1 && parts.last == .rest), "the pattern \(text) goes on after its rest")
    }

    /// Whether a path of so many segments can be one of these: most patterns are told apart by that alone.
    func fits(_ count: Int) -> Bool { parts.last == .rest ? count >= parts.count : count == parts.count }

    /// What stands in the places of the parameters, or nil if the path is another.
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

    /// Whether this one is asked before the other.
    func precedes(_ other: RoutePattern) -> Bool {
        parts.map(\.rank).lexicographicallyPrecedes(other.parts.map(\.rank))
    }
}
