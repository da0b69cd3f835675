internal import Glibc

/// An absolute path whose last component may be left open at its end, such as `/etc/java-*`.
struct PathPattern: Sendable, Hashable {
    /// The directory of the last component.
    let directory: String
    /// The last component, or its beginning.
    let name: String
    /// A Boolean value that indicates whether the last component may go on.
    let isOpen: Bool
    /// The directory and the name together.
    private let start: String

    /// Creates a pattern from its text, in which a `*` may end the last component.
    init(_ text: String) {
        let slash = text.lastIndex(of: "/") ?? text.startIndex
        directory = String(text[..<slash])
        isOpen = text.hasSuffix("*")
        let name = text[slash...].dropFirst()
        self.name = String(isOpen ? name.dropLast() : name)
        start = directory + "/" + self.name
    }

    /// Returns whether a path is the pattern's or lies inside it.
    func contains(_ path: String) -> Bool {
        guard path.hasPrefix(start) else { return false }
        let rest = path.utf8.dropFirst(start.utf8.count)
        return isOpen || rest.isEmpty || rest.first == UInt8(ascii: "/")
    }
}
