import Foundation
import RunModel
import Testing

@testable import RunAPI

/// The tables of `docs/api.md` that are generated from ``Limits/table`` and ``Outcome/table``.
///
/// With the environment variable `SANDGLASS_WRITE_DOCS` the tests write the tables instead of checking them.
@Suite(.serialized) struct DocumentationTablesTests {
    private static let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/api.md")

    @Test func `the table of limits is current`() throws {
        var lines = [
            "| limit | default | minimum | maximum | meaning |", "| --- | --- | --- | --- | --- |",
        ]
        for limit in Limits.table {
            let name = limit.isRunMember ? limit.name : "limits.\(limit.name)"
            let summary = [limit.summary, limit.defaultSummary].compactMap { $0 }.joined(separator: " ")
            let numbers = Self.numbers(of: limit)
            let initial = limit.hasDerivedDefault ? "see the meaning" : numbers.initial
            lines.append(
                "| `\(name)` | \(initial) | \(numbers.minimum) | \(numbers.maximum), `\(Self.flag(limit.name))` | \(summary) |"
            )
        }
        let grace = "\(RequestLimits().grace.inSeconds)".replacing(".0", with: "")
        lines.insert("| `graceSeconds` | 0 | 0 | \(grace) | Time in seconds between SIGTERM and SIGKILL. |", at: 3)
        try check(lines, named: "limits")
    }

    @Test func `the table of outcomes is current`() throws {
        let head = ["| outcome | meaning | `exitCode` | `signal` |", "| --- | --- | --- | --- |"]
        let rows = Outcome.table.map { row in
            "| `\(row.kind.rawValue)` | \(row.summary) | \(row.exitCode) | \(row.signal) |"
        }
        try check(head + rows, named: "outcomes")
    }

    private static func numbers(of limit: LimitDescription) -> (initial: String, minimum: String, maximum: String) {
        switch limit.value {
        case .seconds(let get, _):
            let (initial, maximum) = (get(Limits()).components.seconds, get(Limits.defaultMaxima).components.seconds)
            return ("\(initial)", "above 0", "\(maximum)")
        case .decimal(let minimum, _, _): return ("none", "\(minimum)", "none")
        case .number(let minimum, let get, _):
            let text = { (number: Int) in limit.unit == .bytes ? size(number) : "\(number)" }
            return (text(get(Limits())), text(minimum), text(get(Limits.defaultMaxima)))
        }
    }

    /// Returns a number of bytes, followed by a binary multiple if it is at least one MiB.
    private static func size(_ bytes: Int) -> String {
        if bytes >= 1 << 30 { return "\(bytes) (\(bytes >> 30) GiB)" }
        return bytes >= 1 << 20 ? "\(bytes) (\(bytes >> 20) MiB)" : "\(bytes)"
    }

    /// Returns the flag of `sandglass serve` for a maximum, such as `--max-memory-bytes`.
    private static func flag(_ name: String) -> String {
        "--max-" + name.map { $0.isUppercase ? "-" + $0.lowercased() : String($0) }.joined()
    }

    private func check(_ lines: [String], named name: String) throws {
        let text = try String(contentsOf: Self.page, encoding: .utf8)
        let start = try #require(text.range(of: "<!-- generated: \(name) -->\n"))
        let end = try #require(text.range(of: "<!-- end generated -->", range: start.upperBound..<text.endIndex))
        let table = lines.joined(separator: "\n") + "\n"
        guard ProcessInfo.processInfo.environment["SANDGLASS_WRITE_DOCS"] != nil else {
            #expect(text[start.upperBound..<end.lowerBound] == table, "write it with SANDGLASS_WRITE_DOCS=1")
            return
        }
        let new = text.replacingCharacters(in: start.upperBound..<end.lowerBound, with: table)
        try new.write(to: Self.page, atomically: true, encoding: .utf8)
    }
}
