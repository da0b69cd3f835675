import Foundation

/// A Markdown document of the repository, with the parts that tests look at.
struct Document {
    /// A fenced block of code.
    struct Block {
        /// The word after the fence, such as `console`.
        let language: String
        /// The line of the opening fence, counted from 1.
        let line: Int
        let lines: [String]
    }

    /// A part of the document that a test acts on, in its order.
    enum Step {
        /// `<!-- server: FLAGS -->`: start a server with these flags in place of the one before.
        case restart(flags: String, kills: Bool)
        /// A block marked `console`.
        case commands([ConsoleCommand])
    }

    /// A link in the text.
    struct Link {
        let target: String
        let line: Int
    }

    /// The path relative to the repository, such as `docs/api.md`.
    let path: String
    let lines: [String]
    let blocks: [Block]
    let steps: [Step]
    let links: [Link]
    /// The anchors of the headings, as GitHub derives them.
    let anchors: Set<String>

    init(path: String, text: String) throws {
        self.path = path
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        self.lines = lines
        var reader = DocumentReader()
        for (index, line) in lines.enumerated() { try reader.read(line, number: index + 1) }
        blocks = reader.blocks
        steps = reader.steps
        links = reader.links
        anchors = reader.anchors
    }
}

/// A reader of a document, line by line.
private struct DocumentReader {
    private(set) var blocks: [Document.Block] = []
    private(set) var steps: [Document.Step] = []
    private(set) var links: [Document.Link] = []
    private(set) var anchors: Set<String> = []
    private var open: (language: String, line: Int, lines: [String])?

    mutating func read(_ line: String, number: Int) throws {
        if let block = open {
            guard line.hasPrefix("```") else {
                open?.lines.append(line)
                return
            }
            open = nil
            blocks.append(Document.Block(language: block.language, line: block.line, lines: block.lines))
            if block.language == "console" {
                steps.append(.commands(try ConsoleCommand.parse(block.lines, firstLine: block.line + 1)))
            }
        } else if line.hasPrefix("```") {
            open = (String(line.dropFirst(3)), number, [])
        } else if let directive = line.wholeMatch(of: /<!-- server: (kill -9; )?(.*?) ?-->/) {
            steps.append(.restart(flags: String(directive.output.2), kills: directive.output.1 != nil))
        } else {
            readText(line, number)
        }
    }

    private mutating func readText(_ line: String, _ number: Int) {
        if let heading = line.wholeMatch(of: /#{1,6} (.*)/) {
            let anchor = Self.anchor(of: String(heading.output.1))
            var unique = anchor
            var count = 0
            while !anchors.insert(unique).inserted {
                count += 1
                unique = "\(anchor)-\(count)"
            }
        }
        // Code spans hold text that only looks like a link.
        let text = line.replacing(/`[^`]*`/, with: "`")
        for link in text.matches(of: /\]\(([^)\s]+)\)/) {
            links.append(Document.Link(target: String(link.output.1), line: number))
        }
    }

    /// Derives the anchor of a heading as GitHub does: lower case, no punctuation, hyphens for spaces.
    private static func anchor(of heading: String) -> String {
        let text = heading.replacing(/\[([^\]]*)\]\([^)]*\)/) { $0.output.1 }
        let kept = text.lowercased().unicodeScalars.filter { scalar in
            CharacterSet.alphanumerics.contains(scalar) || " -_".unicodeScalars.contains(scalar)
        }
        return String(String.UnicodeScalarView(kept)).replacing(" ", with: "-")
    }
}

extension Document {
    /// The directory of the repository.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

    /// The documents whose commands are run: the README and everything below `docs`.
    static let manual = paths(below: "docs") + ["README.md"]

    /// The documents whose links are checked.
    static let all = manual + ["SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "Benchmarks/README.md"]

    /// Reads a document of the repository.
    init(path: String) throws {
        try self.init(path: path, text: String(contentsOf: Self.root.appending(path: path), encoding: .utf8))
    }

    private static func paths(below directory: String) -> [String] {
        let names = FileManager.default.enumerator(atPath: root.appending(path: directory).path())
        return (names?.allObjects as? [String] ?? []).filter { $0.hasSuffix(".md") }.sorted().map {
            "\(directory)/\($0)"
        }
    }
}
