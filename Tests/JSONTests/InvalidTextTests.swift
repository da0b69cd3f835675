import JSON
import Testing

/// Texts that are not JSON (RFC 8259).
@Suite struct InvalidTextTests {
    @Test(arguments: [
        "[1,]", "{\"a\":1,}", "[1,\n]", "[,]", "{,}", "[,1]", "{,\"a\":1}", "[1,,2]", "{\"a\":1,,\"b\":2}",
    ])
    func `a superfluous comma is refused`(text: String) {
        #expect(faults(text).count == 1)
    }

    @Test(arguments: ["", " ", "\n\t "])
    func `a text without a value is refused`(text: String) {
        let end = text.utf8.count
        #expect(faults(text).map(\.detail) == ["expected a value at byte \(end), found the end of the text"])
    }

    @Test(arguments: ["1 2", "{} {}", "[]]", "{}}", "\"a\"b", "null,", "true false", "[]\u{0}", "1\u{0}", "{}#"])
    func `further text after the value is refused`(text: String) {
        #expect(faults(text).count == 1)
    }

    @Test(arguments: ["// c\n1", "/* c */1", "1 // c", "[1 /* c */]", "# c\n1"])
    func `a comment is refused`(text: String) {
        #expect(faults(text).count == 1)
    }

    @Test(arguments: [
        "+1", ".5", "1.", "-", "-.5", "01", "-01", "00", "1e", "1e+", "1E-", "1.e1", "1.5.5", "0x10", "1_000", "--1",
        "1e1.5",
        "NaN", "-NaN", "Infinity", "-Infinity", "inf", "1 000", "１",
    ])
    func `a malformed number is refused`(text: String) {
        #expect(faults(text).count == 1)
        #expect(faults("[\(text)]").count == 1)
    }

    @Test(arguments: ["nul", "nulll", "True", "NULL", "tru", "fals", "falsey", "undefined", "n", "t", "f"])
    func `any word except true, false and null is refused`(text: String) {
        #expect(faults(text).count == 1)
    }

    @Test(arguments: [
        "[", "]", "{", "}", "[1", "[1 2]", "[1}", "{\"a\"}", "{\"a\":}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}",
        "{\"a\":1",
        "{null:1}", "[\"a\":1]", "{\"a\",1}", "{\"a\":1]", "{\"a\"::1}", "[[]", "{[]:1}", ":", ",", "{\"a\":1 \"b\":2}",
    ])
    func `a broken structure is refused`(text: String) {
        #expect(faults(text).count == 1)
    }

    @Test(arguments: ["\"", "\"a", "\"\\", "\"\\\"", "'a'", "\"a\\", "\"\\u12", "`a`"])
    func `an unterminated string is refused`(text: String) {
        #expect(faults(text).count == 1)
    }

    @Test(arguments: 0..<0x20 as Range<UInt8>)
    func `an unescaped control character in a string is refused`(byte: UInt8) {
        #expect(faults(string([byte])).map(\.detail) == ["a control character in a string must be escaped, at byte 2"])
        #expect(faults(string(Array("twelve bytes".utf8) + [byte] + Array("and more".utf8))).count == 1)
    }

    @Test(arguments: [
        #"\a"#, #"\x41"#, #"\'"#, #"\0"#, #"\U0041"#, #"\u"#, #"\u004"#, #"\u00G0"#, #"\u+041"#, #"\u 041"#, #"\é"#,
        #"\v"#,
    ])
    func `an unknown or incomplete escape is refused`(escape: String) {
        #expect(faults(#"["\#(escape)"]"#).count == 1)
        #expect(faults(#"["\#(escape)0000"]"#).count == (escape == #"\u004"# || escape == #"\u"# ? 0 : 1))
    }

    @Test(arguments: ["\u{A0}1", "\u{0B}1", "\u{0C}1", "\u{2028}1", "1\u{3000}", "\u{0}1", "\u{1F}1"])
    func `white space outside RFC 8259 is refused`(text: String) {
        #expect(faults(text).count == 1)
    }

    @Test(
        arguments: [
            [0x80], [0xBF], [0xFF], [0xFE], [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xC3, 0x28], [0xE2, 0x28, 0xA1],
            [0xC0, 0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xE0, 0x9F, 0xBF], [0xF0, 0x80, 0x80, 0xAF],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80],
        ] as [[UInt8]]
    )
    func `bytes that are not UTF-8 are refused with their offset`(bytes: [UInt8]) {
        #expect(faults(string(bytes)).map(\.detail) == ["the text is not valid UTF-8, at byte 2"])
        let escaped = faults(string(Array(#"a\nbü"#.utf8) + bytes))
        #expect(escaped.map(\.detail) == ["the text is not valid UTF-8, at byte 8"])
        #expect(faults(Array("{\"".utf8) + bytes + Array("\":1}".utf8)).count == 1)
    }

    @Test func `a character that is split by an escape is refused`() {
        #expect(faults(string([0xC3] + Array(#"\n"#.utf8) + [0xA9])).count == 1)
    }

    @Test(arguments: [[0xFF], [0xC3, 0xA9], [0x80]] as [[UInt8]])
    func `bytes outside ASCII between tokens are refused`(bytes: [UInt8]) {
        #expect(faults(bytes + [0x31]).count == 1)
        #expect(faults([0x5B, 0x31] + bytes + [0x5D]).count == 1)
    }

    @Test func `every prefix of a text is refused`() {
        let text = Array(#"{"a":[1,true,null,"x\u00e9\ud83d\ude00ü"],"b":{"c":-1.5e+3}}"#.utf8)
        #expect(faults(text).isEmpty)
        for length in 0..<text.count {
            #expect(faults(Array(text[..<length])).count == 1, "\(length) bytes")
        }
    }
}
