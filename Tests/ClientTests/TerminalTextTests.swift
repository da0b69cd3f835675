import Testing

@testable import Client

@Suite struct TerminalTextTests {
    @Test func `characters that a terminal would interpret are escaped`() {
        #expect(TerminalText.escaped("a\u{1b}[2Jb") == "a\\u{1b}[2Jb")
        #expect(TerminalText.escaped("\r\n\t\u{7f}\u{9b}") == "\\u{d}\\u{a}\\u{9}\\u{7f}\\u{9b}")
        #expect(TerminalText.escaped("\u{202e}x\u{2066}\u{2028}") == "\\u{202e}x\\u{2066}\\u{2028}")
    }

    @Test func `other text does not change`() {
        for text in ["", "plain", "ü€😀", "👩‍👩‍👧", "e\u{301}"] { #expect(TerminalText.escaped(text) == text) }
    }

    @Test func `a text is cut to a width`() {
        #expect(TerminalText.cut("abcdef", to: 6) == "abcdef")
        #expect(TerminalText.cut("abcdef", to: 4) == "abc…")
        #expect(TerminalText.cut("abcdef", to: 1) == "…")
        #expect(TerminalText.cut("abcdef", to: 0) == "")
    }
}
