import System
import Testing

@Suite struct PercentCodingTests {
    @Test(arguments: [
        ("", ""), ("azAZ09-._~", "azAZ09-._~"), ("a b", "a%20b"), ("a/b:c", "a%2Fb%3Ac"), ("é", "%C3%A9"), ("%", "%25"),
        ("+", "%2B"),
    ])
    func `everything but unreserved characters is encoded`(text: String, encoded: String) throws {
        #expect(PercentCoding.encode(text) == encoded)
        #expect(try PercentCoding.decode(encoded.utf8) == text)
    }

    @Test func `characters that are allowed are not encoded`() {
        #expect(PercentCoding.encode("a/b:c d", allowing: "/:") == "a/b:c%20d")
    }

    @Test func `a plus is a space only if the caller requests it`() throws {
        #expect(try PercentCoding.decode("a+b".utf8) == "a+b")
        #expect(try PercentCoding.decode("a+b".utf8, plusIsSpace: true) == "a b")
    }

    @Test(arguments: ["%", "%4", "%4g", "%g4", "a%"])
    func `a malformed escape is an error`(text: String) {
        #expect(throws: PercentCoding.DecodingError.malformedEscape) { try PercentCoding.decode(text.utf8) }
    }

    @Test func `a NUL character and bytes that are not UTF-8 are errors`() {
        #expect(throws: PercentCoding.DecodingError.nul) { try PercentCoding.decode("a%00".utf8) }
        #expect(throws: PercentCoding.DecodingError.notUTF8) { try PercentCoding.decode("%FF".utf8) }
    }

    @Test func `hexadecimal digits of either case have their values`() {
        #expect("0189afAF".utf8.map(\.hexadecimalValue) == [0, 1, 8, 9, 10, 15, 10, 15])
        #expect("/:@Gg`".utf8.map(\.hexadecimalValue) == [nil, nil, nil, nil, nil, nil])
    }

    @Test func `only ASCII letters and digits are alphanumeric`() {
        let all = (0...255 as ClosedRange<UInt8>).filter(\.isAlphanumericASCII)
        #expect(all == Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8))
    }
}
