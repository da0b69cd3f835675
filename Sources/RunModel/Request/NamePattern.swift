/// A pattern for one name: one part of a ``Glob``, or of another pattern with the same wildcards.
package struct NamePattern: Sendable, Hashable {
    /// A part of the pattern.
    package enum Token: Sendable, Hashable {
        /// `*`
        case any
        /// `?`
        case one
        /// A literal character.
        case character(Unicode.Scalar)
        /// `[…]`, `[!…]`
        case oneOf([ClosedRange<Unicode.Scalar>], isNegated: Bool)

        fileprivate func matches(_ scalar: Unicode.Scalar) -> Bool {
            switch self {
            case .any, .one: true
            case .character(let own): own == scalar
            case .oneOf(let ranges, let isNegated): ranges.contains { $0.contains(scalar) } != isNegated
            }
        }
    }

    private let tokens: [Token]
    /// The minimum number of characters of a matching name.
    private let minimumLength: Int

    /// Creates a pattern from its parts.
    package init(_ tokens: [Token]) {
        self.tokens = tokens
        minimumLength = tokens.count { $0 != .any }
    }

    init(_ text: Substring.UnicodeScalarView) throws(Glob.Fault) {
        var tokens: [Token] = []
        var rest = text
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*": if tokens.last != .any { tokens.append(.any) }
            case "?": tokens.append(.one)
            case "[": tokens.append(try Self.bracket(&rest))
            default: tokens.append(.character(scalar))
            }
        }
        self.init(tokens)
    }

    /// Parses a bracket expression after its opening bracket.
    ///
    /// A closing bracket at the start is one of the characters (glob(7)).
    private static func bracket(_ rest: inout Substring.UnicodeScalarView) throws(Glob.Fault) -> Token {
        let isNegated = rest.first == "!" || rest.first == "^"
        if isNegated { rest.removeFirst() }
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        while let first = rest.popFirst() {
            if first == "]", !ranges.isEmpty { return .oneOf(ranges, isNegated: isNegated) }
            guard rest.first == "-", let last = rest.dropFirst().first, last != "]" else {
                ranges.append(first...first)
                continue
            }
            guard first <= last else {
                throw Glob.Fault(detail: "a range must not be reversed: [\(first)-\(last)]")
            }
            ranges.append(first...last)
            rest = rest.dropFirst(2)
        }
        throw Glob.Fault(detail: "a \"[\" must have a closing \"]\"; write \"[[]\" for a literal \"[\"")
    }

    /// Returns whether the pattern matches the whole name.
    ///
    /// Only the last `*` is ever retried, so that the time is at most the product of both lengths.
    package func matches(_ name: [Unicode.Scalar]) -> Bool {
        guard name.count >= minimumLength else { return false }
        var (token, character) = (0, 0)
        var retry: (token: Int, character: Int)?
        while character < name.count {
            if token < tokens.count, tokens[token] == .any {
                retry = (token, character)
                token += 1
            } else if token < tokens.count, tokens[token].matches(name[character]) {
                token += 1
                character += 1
            } else if let last = retry {
                retry = (last.token, last.character + 1)
                (token, character) = (last.token + 1, last.character + 1)
            } else {
                return false
            }
        }
        return tokens[token...].allSatisfy { $0 == .any }
    }
}
