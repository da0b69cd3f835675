internal import JSON
package import RunAPI
internal import RunModel
internal import System

/// A renderer of runs as text for people.
package enum RunText {
    /// Returns the details of a run: one line each, beginning with its name.
    package static func lines(of run: ReceivedRun) -> [String] {
        let document = run.document
        var lines: [(name: String, text: String)] = [("id", run.id.description), ("state", run.state)]
        if run.outcomeName != nil { lines.append(("outcome", outcome(of: run))) }
        if let failure = document["error"]?.object, let detail = failure["detail"]?.string {
            let location = [failure["step"]?.string, failure["errno"]?.string].compactMap { $0 }.joined(separator: ": ")
            lines.append(("error", location.isEmpty ? detail : "\(detail) (\(location))"))
        }
        lines.append(("command", command(of: run)))
        for (name, member) in [("created", "createdAt"), ("started", "startedAt"), ("finished", "finishedAt")] {
            if let time = document[member]?.string { lines.append((name, time)) }
        }
        for stream in ["stdout", "stderr"] {
            guard let output = document[stream]?.object, let bytes = output["bytes"]?.integer else { continue }
            let isComplete = output["truncated"]?.bool != true
            lines.append((stream, "\(bytes, counting: "byte")" + (isComplete ? "" : ", truncated")))
        }
        for (name, member) in [("usage", "usage"), ("limits", "limits"), ("enforcement", "enforcement")] {
            guard let members = document[member]?.object?.members, !members.isEmpty else { continue }
            lines.append((name, members.map { "\($0.name) \(text(of: $0.value))" }.joined(separator: ", ")))
        }
        for label in document["labels"]?.object?.members ?? [] {
            lines.append(("label", "\(label.name)=\(text(of: label.value))"))
        }
        for artifact in run.artifacts {
            let kind =
                switch artifact.kind {
                case .regular(let bytes, _, let isExecutable):
                    "\(bytes, counting: "byte")" + (isExecutable ? ", executable" : "")
                case .symbolicLink(let target): "link to \(target)"
                case .directory: "empty directory"
                }
            lines.append(("artifact", "\(artifact.path) (\(kind))"))
        }
        lines += run.omissions.map { ("omitted", $0) }
        let width = (lines.map(\.name.count).max() ?? 0) + 2
        return lines.map { line in
            line.name + String(repeating: " ", count: width - line.name.count) + TerminalText.escaped(line.text)
        }
    }

    /// The heading of a list of runs.
    package static let tableHead = row(["ID", "STATE", "OUTCOME", "EXIT", "CREATED"], "COMMAND")

    /// Returns the line of a run in a list.
    ///
    /// - Parameters:
    ///   - run: The run.
    ///   - width: The maximum length in characters; `nil` for no limit.
    /// - Returns: The line, without a newline.
    package static func tableRow(_ run: ReceivedRun, width: Int?) -> String {
        let code = run.document["exitCode"]?.integer.map(String.init)
        // 2026-01-31T08:15:30.123Z without the fraction of the second.
        let created = (run.document["createdAt"]?.string ?? "-").prefix(19) + "Z"
        let columns = [run.id.description, run.state, run.outcomeName ?? "-", code ?? "-", String(created)]
        let text = TerminalText.escaped(row(columns, command(of: run)))
        return width.map { TerminalText.cut(text, to: $0) } ?? text
    }

    /// The minimum width of each column in characters: an id, `finished`, `start_failed`, an exit code, a time.
    private static let widths = [26, 8, 14, 4, 20]

    private static func row(_ columns: [String], _ last: String) -> String {
        zip(columns, widths).map { $0 + String(repeating: " ", count: max($1 - $0.count, 0) + 2) }.joined() + last
    }

    private static func outcome(of run: ReceivedRun) -> String {
        var text = run.outcomeName ?? ""
        if let code = run.document["exitCode"]?.integer { text += ", exit code \(code)" }
        if let signal = run.document["signal"]?.object?["name"]?.string { text += ", \(signal)" }
        return text
    }

    private static func text(of value: JSONValue) -> String {
        switch value {
        case .string(let text): text
        case .number(let number): number.literal
        case .bool(let bool): "\(bool)"
        case .null: "-"
        case .array, .object: "…"
        }
    }

    /// Returns the command line with shell quoting.
    private static func command(of run: ReceivedRun) -> String {
        let words = (run.document["command"]?.array ?? []).compactMap(\.string)
        return words.map { word in
            let isPlain = !word.isEmpty && word.utf8.allSatisfy { plain.contains($0) }
            return isPlain
                ? word
                : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
        }
        .joined(separator: " ")
    }

    private static let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/=:,+@%".utf8)
}

/// Text from outside that is safe to show on a terminal.
package enum TerminalText {
    /// Escapes every character that a terminal would interpret instead of showing it.
    ///
    /// Those are control characters (C0, DEL, C1), which begin escape sequences, and characters that change the
    /// direction of text or begin a line. The result is one line whose characters appear in their order.
    ///
    /// - Parameter text: Text from another source, such as a path or a label.
    /// - Returns: One line, in which `\u{1b}` stands for ESC.
    package static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: needsEscape) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            if needsEscape(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }

    private static func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        // Among them U+202A to U+202E and U+2066 to U+2069.
        case .format: scalar.properties.isBidiControl
        default: false
        }
    }

    /// Cuts a text to a number of characters, with `…` at the end if it was longer.
    package static func cut(_ text: String, to width: Int) -> String {
        guard width > 0 else { return "" }
        return text.count > width ? text.prefix(width - 1) + "…" : text
    }
}
