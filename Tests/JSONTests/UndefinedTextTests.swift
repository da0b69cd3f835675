import JSON
import Testing

/// Texts whose treatment RFC 8259 leaves to the implementation.
@Suite struct UndefinedTextTests {
    @Test(arguments: [
        #"{"a":1,"a":1}"#, #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"{"😀":1,"\ud83d\ude00":2}"#, #"{"":1,"":2}"#,
    ])
    func `a duplicate name is refused in any spelling`(text: String) {
        #expect(faults(text).count == 1)
    }

    @Test(arguments: [
        #"\ud800"#, #"\udc00"#, #"\ud800x"#, #"\ud800\n"#, #"\ud800\u0041"#, #"\ud800\ud800"#, #"\udc00\ud800"#,
        #"\uDFFFx"#,
        #"\ud83d\"#,
    ])
    func `an unpaired surrogate is refused`(escape: String) {
        #expect(faults(#"["\#(escape)"]"#).count == 1)
        #expect(faults(#"{"\#(escape)":1}"#).count == 1)
    }

    @Test func `NUL in a string is kept`() throws {
        #expect(try parse(#""a\u0000b""#) == .string("a\0b"))
        let object = JSONObject(members: [.init(name: "\0", value: .null)])
        #expect(try parse(#"{"\u0000":null}"#) == .object(object))
    }

    @Test func `names that differ after a NUL are different names`() {
        #expect(faults(#"{"a\u0000b":1,"a\u0000c":2,"a":3}"#).isEmpty)
    }

    @Test(arguments: [#""\uFFFE""#, #""\uFFFF""#, #""\uFDD0""#])
    func `a noncharacter is kept`(text: String) {
        #expect(faults(text).isEmpty)
    }

    @Test func `a byte order mark is refused with an error of its own`() {
        #expect(faults([0xEF, 0xBB, 0xBF, 0x31]).map(\.detail) == ["a byte order mark is not allowed, at byte 0"])
    }

    @Test(
        arguments: [
            [0xFF, 0xFE, 0x31, 0x00], [0xFE, 0xFF, 0x00, 0x31], [0x31, 0x00], [0x00, 0x31], [0x7B, 0x00, 0x7D, 0x00],
            [0x00, 0x00, 0x00, 0x31], [0x22, 0x00, 0x22, 0x00],
        ] as [[UInt8]]
    )
    func `UTF-16 and UTF-32 are refused`(bytes: [UInt8]) {
        #expect(faults(bytes).count == 1)
    }

    @Test(arguments: [("[", "]"), (#"{"a":"#, "}"), (#"[{"a":"#, "}]")])
    func `64 levels are accepted and 65 refused`(open: String, close: String) {
        let perUnit = open.count { $0 == "[" || $0 == "{" }
        func nested(_ units: Int, around inner: String) -> String {
            String(repeating: open, count: units) + inner + String(repeating: close, count: units)
        }
        let deepest = JSONParser.maximumDepth / perUnit
        #expect(faults(nested(deepest, around: "1")).isEmpty)
        #expect(faults(nested(deepest, around: "[]")).count == 1)
        #expect(faults(nested(deepest, around: "{}")).count == 1)
        #expect(faults(nested(100_000, around: "1")).count == 1)
    }

    @Test(arguments: [
        "1e400", "-1e400", "1e-400", "1e99999999999999999999", "0e99999999999999999999", "-1e-99999999999999999999",
        "100000000000000000000000000000", "-9223372036854775809", "0.1e00000000000000000000000000000000000001",
        "1.7976931348623159e308", "9007199254740993",
    ])
    func `a number beyond a double is still JSON`(text: String) {
        #expect(faults(text).isEmpty)
    }
}
