import Foundation
import Settings
import Testing

@testable import sandglass

/// The table of settings in `docs/configuration.md`, which derives from ``ServeSetting``.
struct SettingsTableTests {
    private static let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/configuration.md")

    /// The section between the markers.
    static var table: String {
        ServeSetting.groups.map { title, settings in
            let rows = settings.map { setting in
                "| `\(setting.flag)` | \(code(setting.defaultText)) | \(code(setting.constraint)) | \(code(setting.help)) |"
            }
            return (["### \(title)", "", "| flag | default | must be | effect |", "| --- | --- | --- | --- |"] + rows)
                .joined(separator: "\n")
        }
        .joined(separator: "\n\n")
    }

    /// Marks the flags in a sentence as code.
    private static func code(_ text: String) -> String { text.replacing(/--[a-z][a-z-]+/) { "`\($0.output)`" } }

    @Test func `the table of docs/configuration.md is current`() throws {
        let text = try String(contentsOf: Self.page, encoding: .utf8)
        let begin = try #require(text.range(of: "<!-- generated: settings -->\n"))
        let end = try #require(text.range(of: "\n<!-- end generated -->"))
        let section = text[begin.upperBound..<end.lowerBound]
        guard section != Self.table else { return }
        // `SANDGLASS_WRITE_DOCS=1 swift test --filter SettingsTable` rewrites the section.
        if ProcessInfo.processInfo.environment["SANDGLASS_WRITE_DOCS"] == "1" {
            let updated = text[..<begin.upperBound] + Self.table + text[end.lowerBound...]
            try String(updated).write(to: Self.page, atomically: true, encoding: .utf8)
        } else {
            Issue.record("docs/configuration.md differs from the settings; run with SANDGLASS_WRITE_DOCS=1")
        }
    }
}
