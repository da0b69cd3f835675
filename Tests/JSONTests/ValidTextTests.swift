import JSON
import Testing

/// Texts that every parser must accept (RFC 8259).
@Suite struct ValidTextTests {
    @Test(arguments: [
        ("null", JSONValue.null), ("true", .bool(true)), ("false", .bool(false)), ("\"\"", .string("")),
        ("[]", .array([])), ("{}", .object(JSONObject())), ("7", .make(7)),
    ])
    func `a value of any type may be the whole text`(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    @Test(arguments: [" [1] ", "\t[1]\n", "[ 1\r\n]", "[\n\n1\t ]"])
    func `white space is accepted around every token`(text: String) throws {
        #expect(try parse(text) == .array([.make(1)]))
    }

    @Test(arguments: [
        "0", "-0", "-1", "10", "0.0", "1.5", "-0.25", "1e1", "1E1", "1e+1", "1e-1", "0e0", "1.5e300",
        "123456789012345678901",
    ])
    func `a number keeps its spelling`(text: String) throws {
        guard case .number(let number) = try parse(text) else { return #expect(Bool(false)) }
        #expect(number.literal == text)
    }

    @Test(arguments: [
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{08}\u{0C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
        (#""\ud83d\ude00""#, "😀"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"), (#""a\/b""#, "a/b"), (#""\\u0041""#, "\\u0041"),
    ])
    func `escapes are decoded`(text: String, expected: String) throws {
        #expect(try parse(text) == .string(expected))
    }

    @Test(arguments: ["é", "€", "😀", "\u{7F}", "\u{2028}\u{2029}", "\u{FFFF}", "\u{10FFFF}", "\u{FEFF}", "'"])
    func `characters outside ASCII need no escape`(text: String) throws {
        #expect(try parse("\"\(text)\"") == .string(text))
    }

    @Test(arguments: 0...40)
    func `a string of any length and alignment ends at its quotation mark`(length: Int) throws {
        let plain = String(repeating: "x", count: length)
        let text = #"["\#(plain)","\#(plain)\n\#(plain)ü","ü\#(plain)"]"#
        let value = try parse(text)
        #expect(value == .array([.string(plain), .string("\(plain)\n\(plain)ü"), .string("ü\(plain)")]))
    }

    @Test func `members keep the order of the text`() throws {
        guard case .object(let object) = try parse(#"{"b": 1, "a": {"c": [true, null]}, "": ""}"#) else {
            return #expect(Bool(false))
        }
        #expect(object.members.map(\.name) == ["b", "a", ""])
        #expect(object["a"] == .object(JSONObject(members: [.init(name: "c", value: .array([.bool(true), .null]))])))
        #expect(object["d"] == nil)
    }

    @Test func `the same name may occur in different objects`() throws {
        #expect(faults(#"{"a": {"a": {}}, "b": [{"a": 1}, {"a": 2}]}"#).isEmpty)
    }

    @Test func `canonically equivalent names are different names`() throws {
        guard case .object(let object) = try parse("{\"\u{E9}\": 1, \"e\u{301}\": 2}") else {
            return #expect(Bool(false))
        }
        #expect(object["\u{E9}"] == .make(1))
        #expect(object["e\u{301}"] == .make(2))
    }

    @Test(arguments: [
        ("null", "null"), ("true", "a boolean"), ("0", "a number"), ("\"\"", "a string"), ("[]", "an array"),
        ("{}", "an object"),
    ])
    func `each type of value has a name for faults`(text: String, name: String) throws {
        #expect(try parse(text).typeName == name)
    }
}
