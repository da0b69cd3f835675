import Testing

@testable import Client

@Suite struct TerminalTextTests {
    @Test func `what a terminal obeys is spelt out`() {
        #expect(TerminalText.harmless("a\u{1b}[2Jb") == "a\\u{1b}[2Jb")
        #expect(TerminalText.harmless("\r\n\t\u{7f}\u{9b}") == "\\u{d}\\u{a}\\u{9}\\u{7f}\\u{9b}")
        #expect(TerminalText.harmless("\u{202e}x\u{2066}\u{2028}") == "\\u{202e}x\\u{2066}\\u{2028}")
    }

    @Test func `other text stays as it is`() {
        for text in ["", "plain", "ü€😀", "👩‍👩‍👧", "e\u{301}"] { #expect(TerminalText.harmless(text) == text) }
    }

    @Test func `a text is cut to a width`() {
        #expect(TerminalText.cut("abcdef", to: 6) == "abcdef")
        #expect(TerminalText.cut("abcdef", to: 4) == "abc…")
        #expect(TerminalText.cut("abcdef", to: 1) == "…")
        #expect(TerminalText.cut("abcdef", to: 0) == "")
    }
}
