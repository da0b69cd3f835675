/// A pattern for paths below `/box`, such as `out/**/*.o`.
///
/// - `*` in a name matches any characters, and `?` matches one character.
/// - `[a-z]` matches one character of the set, and `[!a-z]` one character outside it.
/// - `**` as a whole name matches any number of directories, including none. At the end it matches all files in a
///   directory and in the directories below it.
/// - `[*]` matches a literal `*`; the same holds for the other special characters.
///
/// A name that begins with a dot is treated like any other. Model: glob(7), and `**` as in shells and build tools.
package struct Glob: Sendable, Hashable {
    /// The reason for which a text is not a pattern.
    package struct Fault: Error, Hashable {
        /// The reason for people.
        package let detail: String
    }

    /// A part between slashes.
    fileprivate enum Part: Sendable, Hashable {
        /// `**`
        case directories
        /// Any other part.
        case name(NamePattern)
    }

    /// The maximum number of parts: files in more than about sixty nested directories are never kept.
    private static let maximumParts = 128

    /// The pattern as it was written.
    package let text: String
    fileprivate let parts: [Part]

    /// Parses a pattern.
    ///
    /// - Parameter text: a pattern relative to `/box`, at most ``RunFile/longestPath`` bytes.
    /// - Throws: ``Fault`` if the text is not a pattern.
    package init(_ text: String) throws(Fault) {
        guard !text.isEmpty else { throw Fault(detail: "a pattern must not be empty") }
        guard !text.utf8.contains(0) else { throw Fault(detail: "a pattern must not contain a NUL character") }
        guard text.utf8.first != UInt8(ascii: "/") else {
            throw Fault(detail: "a pattern must be relative to /box, without a slash at its start")
        }
        guard text.utf8.count <= RunFile.longestPath else {
            throw Fault(detail: "a pattern must have at most \(RunFile.longestPath) bytes")
        }
        self.text = text
        var parts: [Part] = []
        for part in text.unicodeScalars.split(separator: "/", omittingEmptySubsequences: false) {
            switch String(part) {
            case "":
                throw Fault(
                    detail: "a pattern must not have an empty part; \"directory/**\" matches the files in a directory"
                )
            case ".", "..": throw Fault(detail: "a pattern must not have a part \".\" or \"..\"")
            // Two in a row match the same paths as one.
            case "**" where parts.last == .directories: break
            case "**": parts.append(.directories)
            default: parts.append(.name(try NamePattern(part)))
            }
        }
        guard parts.count <= Self.maximumParts else {
            throw Fault(detail: "a pattern must have at most \(Self.maximumParts) parts")
        }
        self.parts = parts
    }
}

/// The position of a directory walk in several patterns: the parts of each that remain to be matched below a directory.
///
/// Each name is matched once for each position in a pattern, however many paths lead to that position.
package struct GlobPosition: Sendable, Hashable {
    /// The result of matching a name.
    package struct Match: Sendable, Hashable {
        /// The indices of the patterns that a file of this name matches.
        package var globs: [Int] = []
        /// The indices of those that match the name itself, and not only by a `**` at their end.
        package var named: [Int] = []
        /// The position inside a directory of this name.
        package var below: GlobPosition
        /// A Boolean value indicating whether a part of a pattern matches the directory's name itself, and not only a
        /// `**`.
        package var isNamedBelow = false

        /// A Boolean value indicating whether neither a file nor a directory of this name can match any pattern.
        package var isEmpty: Bool { globs.isEmpty && below.isExhausted }
    }

    private struct Position: Hashable {
        let glob: Int
        /// The number of parts that have been matched.
        let part: Int
    }

    private let globs: [Glob]
    private var positions: Set<Position> = []

    /// Creates the position of `/box` itself.
    package init(_ globs: [Glob]) {
        self.globs = globs
        for glob in globs.indices { add(Position(glob: glob, part: 0)) }
    }

    /// A Boolean value indicating whether no pattern can match anything in this directory.
    package var isExhausted: Bool { positions.isEmpty }

    private mutating func add(_ position: Position) {
        let parts = globs[position.glob].parts
        guard position.part < parts.count, positions.insert(position).inserted else { return }
        // `**` may match no directory at all. At the end of a pattern it still needs a file to match.
        if case .directories = parts[position.part] { add(Position(glob: position.glob, part: position.part + 1)) }
    }

    /// Matches the name of a file or directory in this directory.
    package func match(_ name: [Unicode.Scalar]) -> Match {
        var match = Match(below: self)
        match.below.positions = []
        for position in positions {
            let parts = globs[position.glob].parts
            let next = Position(glob: position.glob, part: position.part + 1)
            let isLast = next.part == parts.count
            switch parts[position.part] {
            case .directories:
                if isLast { match.globs.append(position.glob) }
                match.below.add(position)
            case .name(let pattern) where pattern.matches(name):
                if isLast {
                    match.globs.append(position.glob)
                    match.named.append(position.glob)
                } else {
                    match.isNamedBelow = true
                    match.below.add(next)
                }
            case .name: break
            }
        }
        return match
    }
}
