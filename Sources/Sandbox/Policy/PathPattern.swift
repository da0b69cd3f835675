/// An absolute path in which the last characters of a component may be left open, such as `/etc/java-*`.
struct PathPattern: Sendable, Hashable {
    /// The relation of a path to a pattern.
    enum Relation {
        /// The path is the pattern's or lies inside it.
        case inside
        /// The pattern lies below the path.
        case ancestor
        case unrelated
    }

    let components: [Substring]

    /// Creates a pattern from its text, in which a `*` may end a component.
    init(_ text: String) {
        components = text.split(separator: "/")
    }

    /// Returns the relation of a path, given by its components.
    func relation(to path: [Substring]) -> Relation {
        let matches = zip(components, path).allSatisfy { pattern, component in
            pattern.utf8.last == UInt8(ascii: "*") ? component.hasPrefix(pattern.dropLast()) : component == pattern
        }
        guard matches else { return .unrelated }
        return path.count < components.count ? .ancestor : .inside
    }
}
