internal import JSON
internal import Runs

/// Runs as text for people.
public enum RunText {
    /// What there is to know about one: a line each, with its name before it.
    public static func lines(of run: ReceivedRun) -> [String] {
        let document = run.document
        var lines: [(name: String, text: String)] = [("id", run.id.description), ("state", run.state)]
        if run.outcomeName != nil { lines.append(("outcome", outcome(of: run))) }
        if let failure = document["error"]?.object, let detail = failure["detail"]?.string {
            let place = [failure["step"]?.string, failure["errno"]?.string].compactMap { $0 }.joined(separator: ": ")
            lines.append(("error", place.isEmpty ? detail : "\(detail) (\(place))"))
        }
        lines.append(("command", command(of: run)))
        for (name, member) in [("created", "createdAt"), ("started", "startedAt"), ("finished", "finishedAt")] {
            if let time = document[member]?.string { lines.append((name, time)) }
        }
        for stream in ["stdout", "stderr"] {
            guard let output = document[stream]?.object, let bytes = output["bytes"]?.integer else { continue }
            let isWhole = output["truncated"]?.bool != true
            lines.append((stream, "\(bytes) bytes" + (isWhole ? "" : ", of which not all were kept")))
        }
        for (name, member) in [("usage", "usage"), ("limits", "limits"), ("enforcement", "enforcement")] {
            guard let members = document[member]?.object?.members, !members.isEmpty else { continue }
            lines.append((name, members.map { "\($0.name) \(text(of: $0.value))" }.joined(separator: ", ")))
        }
        for label in document["labels"]?.object?.members ?? [] {
            lines.append(("label", "\(label.name)=\(text(of: label.value))"))
        }
        for artifact in run.artifacts {
            let kind = artifact.isExecutable ? ", executable" : ""
            lines.append(("artifact", "\(artifact.path) (\(artifact.bytes) bytes\(kind))"))
        }
        lines += run.omissions.map { ("omitted", $0) }
        let width = (lines.map(\.name.count).max() ?? 0) + 2
        return lines.map { line in
            line.name + String(repeating: " ", count: width - line.name.count) + TerminalText.harmless(line.text)
        }
    }

    /// The head of a list of runs.
    public static let tableHead = row(["ID", "STATE", "OUTCOME", "EXIT", "CREATED"], "COMMAND")

    /// A run in a list.
    ///
    /// - Parameters:
    ///   - run: which one.
    ///   - width: how many characters there are for it; `nil`: as many as it has.
    /// - Returns: one line.
    public static func tableRow(_ run: ReceivedRun, width: Int?) -> String {
        let code = run.document["exitCode"]?.integer.map(String.init)
        // 2026-01-31T08:15:30.123Z: to the second.
        let created = (run.document["createdAt"]?.string ?? "-").prefix(19) + "Z"
        let columns = [run.id.description, run.state, run.outcomeName ?? "-", code ?? "-", String(created)]
        let text = TerminalText.harmless(row(columns, command(of: run)))
        return width.map { TerminalText.cut(text, to: $0) } ?? text
    }

    /// How many characters of each column there are at least: an id, `finished`, `start_failed`, a code, a time.
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

    /// argv as a shell would take it.
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
