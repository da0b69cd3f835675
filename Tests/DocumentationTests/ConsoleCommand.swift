/// A command of a `console` block and the output that it must print.
struct ConsoleCommand: Equatable {
    /// A mistake in a block, with its line.
    struct Fault: Error, Equatable {
        let line: Int
        let detail: String
    }

    /// The shell text after the `$ `, with the lines that continue it.
    var text: String
    /// The line of the document, counted from 1.
    let line: Int
    /// The expected output, line by line.
    var expected: [String] = []

    /// Splits a block into its commands.
    ///
    /// A command continues after a backslash at the end of its line, or up to the end of its here-document.
    ///
    /// - Parameters:
    ///   - lines: the lines between the fences.
    ///   - firstLine: the number of the first of them in the document.
    /// - Returns: the commands with their expected output, in order.
    /// - Throws: `Fault` for output before the first command and for a command that never ends.
    static func parse(_ lines: [String], firstLine: Int) throws(Fault) -> [ConsoleCommand] {
        var commands: [ConsoleCommand] = []
        var terminator: Substring?
        var continues = false
        for (index, line) in lines.enumerated() {
            if let end = terminator {
                commands[commands.count - 1].text += "\n" + line
                if line == end { terminator = nil }
                continue
            }
            if continues {
                commands[commands.count - 1].text += "\n" + line
            } else if line.hasPrefix("$ ") {
                commands.append(ConsoleCommand(text: String(line.dropFirst(2)), line: firstLine + index))
            } else if commands.isEmpty {
                throw Fault(line: firstLine + index, detail: "The block has output before its first command.")
            } else {
                commands[commands.count - 1].expected.append(line)
                continue
            }
            terminator = line.firstMatch(of: /<<'?(\w+)'?/)?.output.1
            continues = line.hasSuffix("\\")
        }
        if terminator != nil || continues {
            throw Fault(line: firstLine + lines.count, detail: "The last command of the block does not end.")
        }
        return commands
    }

    /// Returns whether the printed lines are those that the document expects.
    ///
    /// In the expected lines `…` matches any text, and a line that is only `…` matches any number of lines.
    func matches(_ printed: [String]) -> Bool { Self.matches(expected[...], printed[...]) }

    private static func matches(_ expected: ArraySlice<String>, _ printed: ArraySlice<String>) -> Bool {
        guard let first = expected.first else { return printed.isEmpty }
        let rest = expected.dropFirst()
        if first == "…" {
            return (printed.startIndex...printed.endIndex).contains { matches(rest, printed[$0...]) }
        }
        guard let line = printed.first, matchesLine(first, line) else { return false }
        return matches(rest, printed.dropFirst())
    }

    private static func matchesLine(_ pattern: String, _ line: String) -> Bool {
        let parts = pattern.split(separator: "…", omittingEmptySubsequences: false)
        guard parts.count > 1, let first = parts.first, let last = parts.last else { return pattern == line }
        guard line.hasPrefix(first) else { return false }
        var rest = line.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let found = rest.firstRange(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.hasSuffix(last)
    }
}
