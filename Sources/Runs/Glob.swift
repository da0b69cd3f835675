/// A pattern for paths below `/box`, such as `out/**/*.o`.
///
/// In a name `*` stands for any characters, `?` for one, `[a-z]` for one of those and `[!a-z]` for one of the others; a name that
/// begins with a dot is like any other. A name that is `**` stands for any folders in between, none included, and at the end for all
/// that is in a folder and in those below it. To be itself a special character stands in brackets: `[*]`.
///
/// Model: glob(7), and `**` as shells and build tools have it.
public struct Glob: Sendable, Hashable {
    /// Why a text is no pattern.
    public struct Fault: Error, Hashable {
        /// What is wrong with it.
        public let detail: String
    }

    /// A part between slashes.
    enum Part: Sendable, Hashable {
        /// `**`
        case folders
        /// Anything else.
        case name(NamePattern)
    }

    /// The most parts: nothing is kept that is in more folders than some sixty.
    private static let mostParts = 128

    /// As it was written.
    public let text: String
    let parts: [Part]

    /// Reads a pattern.
    ///
    /// - Parameter text: relative to `/box`, at most ``RunFile/longestPath`` bytes.
    /// - Throws: why it is none.
    public init(_ text: String) throws(Fault) {
        guard !text.isEmpty else { throw Fault(detail: "a pattern must not be empty") }
        guard !text.utf8.contains(0) else { throw Fault(detail: "a pattern must not hold a NUL character") }
        guard text.utf8.first != UInt8(ascii: "/") else {
            throw Fault(detail: "a pattern must be relative: it is below /box")
        }
        guard text.utf8.count <= RunFile.longestPath else {
            throw Fault(detail: "a pattern must have at most \(RunFile.longestPath) bytes")
        }
        self.text = text
        var parts: [Part] = []
        for part in text.unicodeScalars.split(separator: "/", omittingEmptySubsequences: false) {
            switch String(part) {
            case "":
                throw Fault(detail: "a pattern must not have an empty part; what is in a folder is \"folder/**\"")
            case ".", "..": throw Fault(detail: "a pattern must not have a part \".\" or \"..\"")
            // Two of them are as good as one.
            case "**" where parts.last == .folders: break
            case "**": parts.append(.folders)
            default: parts.append(.name(try NamePattern(part)))
            }
        }
        guard parts.count <= Self.mostParts else {
            throw Fault(detail: "a pattern must have at most \(Self.mostParts) parts")
        }
        self.parts = parts
    }
}
