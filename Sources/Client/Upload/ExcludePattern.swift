internal import RunModel

/// A pattern of `--exclude`: a part of the format of `.gitignore` files (gitignore(5)).
///
/// - `*` matches any characters of a name, `?` one character, `[a-z]` and `[!a-z]` one character of a set.
/// - `**/` at the start matches in every directory, `/**` at the end everything inside, and `/**/` any directories.
/// - A slash at the start or in the middle binds the pattern to the directory that `--file` names. Without one the
///   pattern matches a name at every level.
/// - A slash at the end restricts the pattern to directories. A `!` at the start includes again.
/// - A backslash makes the next character literal. A `#` and spaces are ordinary characters.
package struct ExcludePattern: Sendable, Hashable {
    private enum Part: Sendable, Hashable {
        /// `**`
        case directories
        case name(NamePattern)
    }

    private typealias Token = NamePattern.Token

    /// A Boolean value indicating whether the pattern includes what an earlier pattern excludes.
    let includes: Bool
    private let isForDirectories: Bool
    private let parts: [Part]

    /// Parses a pattern.
    ///
    /// - Throws: `invalidArgument` if the text is not a pattern.
    package init(_ text: String) throws(ClientError) {
        var rest = text.unicodeScalars[...]
        includes = rest.first == "!"
        if includes { rest.removeFirst() }
        isForDirectories = rest.last == "/"
        if isForDirectories { rest.removeLast() }
        let isBound = rest.contains("/")
        if rest.first == "/" { rest.removeFirst() }
        guard !rest.isEmpty, !text.utf8.contains(0) else {
            throw .invalidArgument("--exclude '\(text)': the pattern names nothing.")
        }
        var parts: [Part] = isBound ? [] : [.directories]
        for part in rest.split(separator: "/", omittingEmptySubsequences: false) {
            if part.isEmpty { throw .invalidArgument("--exclude '\(text)': the pattern has an empty part.") }
            if isBound, String(part) == "**" {
                parts.append(.directories)
            } else {
                parts.append(.name(NamePattern(try Self.tokens(part, of: text))))
            }
        }
        self.parts = parts
    }

    private static func tokens(_ part: Substring.UnicodeScalarView, of text: String) throws(ClientError) -> [Token] {
        var (tokens, rest): ([Token], Substring.UnicodeScalarView) = ([], part)
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*": if tokens.last != .any { tokens.append(.any) }
            case "?": tokens.append(.one)
            case "[": tokens.append(try bracket(&rest, of: text))
            case "\\":
                guard let next = rest.popFirst() else {
                    throw .invalidArgument("--exclude '\(text)': a backslash must precede a character.")
                }
                tokens.append(.character(next))
            default: tokens.append(.character(scalar))
            }
        }
        return tokens
    }

    private static func bracket(
        _ rest: inout Substring.UnicodeScalarView,
        of text: String
    ) throws(ClientError) -> Token {
        let isNegated = rest.first == "!" || rest.first == "^"
        if isNegated { rest.removeFirst() }
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        while var first = rest.popFirst() {
            if first == "]", !ranges.isEmpty { return .oneOf(ranges, isNegated: isNegated) }
            if first == "[", rest.first == ":" {
                throw .invalidArgument("--exclude '\(text)': classes such as [:alpha:] are not supported. Use [a-z].")
            }
            if first == "\\", let next = rest.popFirst() { first = next }
            guard rest.first == "-", let last = rest.dropFirst().first, last != "]" else {
                ranges.append(first...first)
                continue
            }
            guard first <= last else { throw .invalidArgument("--exclude '\(text)': a range must not be reversed.") }
            ranges.append(first...last)
            rest = rest.dropFirst(2)
        }
        throw .invalidArgument("--exclude '\(text)': a '[' must have a closing ']'. Write '\\[' for a literal '['.")
    }

    /// Returns whether the pattern matches an entry.
    ///
    /// - Parameters:
    ///   - names: the names on the path from the directory that `--file` names to the entry.
    ///   - isDirectory: whether the entry is a directory.
    /// - Returns: true if the pattern matches the entry itself.
    func matches(_ names: [[Unicode.Scalar]], isDirectory: Bool) -> Bool {
        guard isDirectory || !isForDirectories else { return false }
        // The positions in the pattern after each name; a `**` may match no directory.
        var positions: Set<Int> = [0]
        func skip(_ positions: inout Set<Int>) {
            for position in positions.sorted() {
                var next = position
                while next < parts.count, parts[next] == .directories {
                    next += 1
                    positions.insert(next)
                }
            }
        }
        for name in names {
            skip(&positions)
            var next: Set<Int> = []
            for position in positions where position < parts.count {
                switch parts[position] {
                case .directories:
                    next.insert(position)
                    if position == parts.count - 1 { next.insert(parts.count) }
                case .name(let pattern): if pattern.matches(name) { next.insert(position + 1) }
                }
            }
            positions = next
        }
        return positions.contains(parts.count)
    }
}

extension [ExcludePattern] {
    /// Returns whether an entry is excluded: the last matching pattern decides.
    func excludes(_ names: [String], isDirectory: Bool) -> Bool {
        let scalars = names.map { name in [Unicode.Scalar](name.unicodeScalars) }
        return last { $0.matches(scalars, isDirectory: isDirectory) }.map { !$0.includes } ?? false
    }
}
