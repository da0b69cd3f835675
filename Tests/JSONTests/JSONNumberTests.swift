import JSON
import Testing

@Suite struct JSONNumberTests {
    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("0.0", 0), ("0e99999999999999999999", 0), ("1e3", 1000), ("1.0", 1), ("1.50e1", 15),
            ("1000e-3", 1), ("-12", -12), ("9007199254740993", 9_007_199_254_740_993), ("9223372036854775807", .max),
            ("-9223372036854775808", .min), ("-9223372036854775808.000", .min), ("9.223372036854775807e18", .max),
            ("1E+2", 100),
            ("0.00001e5", 1), ("0.00000000000000000000001e23", 1), ("100000000000000000000e-20", 1),
        ] as [(String, Int64)]
    )
    func `a literal with an integer value is an integer`(literal: String, integer: Int64) throws {
        #expect(try #require(JSONNumber(literal: literal)).integer == integer)
    }

    @Test(arguments: [
        "1.5", "1e-1", "0.1", "9223372036854775808", "-9223372036854775809", "1e19", "1e99999999999999999999",
        "1e-99999999999999999999", "10000000000000000000", "9007199254740993.5", "92233720368547758070",
    ])
    func `a fraction or an integer out of range is not an integer`(literal: String) throws {
        #expect(try #require(JSONNumber(literal: literal)).integer == nil)
    }

    @Test(arguments: [
        ("0.05", 0.05), ("-1.5e300", -1.5e300), ("5e-324", .leastNonzeroMagnitude), ("1e-400", 0), ("1", 1),
    ])
    func `a literal is converted to the nearest double`(literal: String, double: Double) throws {
        #expect(try #require(JSONNumber(literal: literal)).double == double)
    }

    @Test(arguments: ["1e400", "-1e400", "1.8e308"])
    func `a literal that overflows has no double`(literal: String) throws {
        #expect(try #require(JSONNumber(literal: literal)).double == nil)
    }

    @Test(arguments: ["", " 1", "1 ", "+1", "01", "1.", "x", "1\n", "NaN", "é"])
    func `a malformed literal is refused`(literal: String) {
        #expect(JSONNumber(literal: literal) == nil)
    }

    @Test func `numbers are compared by their literals`() throws {
        #expect(try parse("1.0") != parse("1"))
        #expect(try parse("1") == .number(JSONNumber(1)))
    }
}
