import Testing

/// Tests of the reader of Markdown documents.
struct DocumentTests {
    @Test func `a command continues after a backslash and as a here-document`() throws {
        let lines = ["$ echo a \\", "    b", "a b", "$ cat <<'END'", "$ not a command", "END", "$ not a command"]
        #expect(
            try ConsoleCommand.parse(lines.dropLast(), firstLine: 10) == [
                ConsoleCommand(text: "echo a \\\n    b", line: 10, expected: ["a b"]),
                ConsoleCommand(text: "cat <<'END'\n$ not a command\nEND", line: 13),
            ]
        )
    }

    @Test func `a block that does not begin with a command or does not end one is refused`() {
        #expect(throws: ConsoleCommand.Fault(line: 1, detail: "The block has output before its first command.")) {
            try ConsoleCommand.parse(["hello"], firstLine: 1)
        }
        #expect(throws: ConsoleCommand.Fault(line: 2, detail: "The last command of the block does not end.")) {
            try ConsoleCommand.parse(["$ echo \\"], firstLine: 1)
        }
    }

    @Test(arguments: [
        (["a"], ["a"], true),
        (["a"], ["b"], false),
        (["a"], [], false),
        ([], ["a"], false),
        (["a…c"], ["abc"], true),
        (["a…c"], ["abcd"], false),
        (["a…b…c"], ["a1b2c"], true),
        (["a…b…c"], ["a1c2b"], false),
        (["ab…bc"], ["abc"], false),
        (["…"], [], true),
        (["…"], ["a", "b"], true),
        (["a", "…", "d"], ["a", "b", "c", "d"], true),
        (["a", "…", "d"], ["a", "b", "c"], false),
    ])
    func `an ellipsis stands for text, and alone on its line for lines`(
        expected: [String],
        printed: [String],
        matches: Bool
    ) {
        #expect(ConsoleCommand(text: "", line: 1, expected: expected).matches(printed) == matches)
    }

    @Test func `headings become anchors, and code is not searched for links`() throws {
        let text = """
            # The `run` & [links](a.md)
            # Twice
            # Twice
            See [b](b.md#c) and `[no](d.md)`.
            ```
            [no](e.md)
            ```
            <!-- server: kill -9; --concurrency 1 -->
            """
        let document = try Document(path: "a.md", text: text)
        #expect(document.anchors == ["the-run--links", "twice", "twice-1"])
        #expect(document.links.map(\.target) == ["a.md", "b.md#c"])
        guard case .restart("--concurrency 1", kills: true)? = document.steps.first else {
            Issue.record("the directive was not read: \(document.steps)")
            return
        }
    }
}
