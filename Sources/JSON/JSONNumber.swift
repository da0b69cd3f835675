/// A JSON number (RFC 8259 §6), kept as its literal, so that no rounding changes the value that a client sent.
///
/// Two numbers are equal if their literals are: `1.0` and `1` are different numbers here.
package struct JSONNumber: Sendable, Equatable {
    /// The literal, in the grammar of RFC 8259 §6.
    package let literal: String

    /// Creates a number from its literal; `nil` if RFC 8259 §6 does not allow it.
    package init?(literal: String) {
        var scanner = JSONScanner(Array(literal.utf8))
        guard (try? scanner.number()) != nil, scanner.isAtEnd else { return nil }
        self.literal = literal
    }

    package init(_ integer: Int64) {
        literal = String(integer)
    }

    /// Creates a number from a literal that the scanner has checked.
    init(scanned literal: String) {
        self.literal = literal
    }

    /// The nearest double (RFC 8259 §6); `nil` if that is infinite, as for `1e400`.
    package var double: Double? {
        guard let value = Double(literal), value.isFinite else { return nil }
        return value
    }

    /// The value as an integer; `nil` if it is not exactly an integer or outside the range of `Int64`.
    ///
    /// The value counts and not its spelling: `1e3`, `1.0` and `-0` are integers, and `1.5` is not (RFC 8259 §6).
    package var integer: Int64? {
        Decimal(literal).integer
    }
}

/// The parts of a number's literal: its digits without the point, and the power of ten that they are multiplied by.
///
/// The digits decide exactly where a `Double` would round: 9007199254740993 is not 9007199254740992.
private struct Decimal {
    private var isNegative = false
    private var digits: [UInt8] = []
    private var exponent = 0

    /// - Parameter literal: a number in the grammar of RFC 8259 §6.
    init(_ literal: String) {
        var rest = literal.utf8[...]
        if rest.first == UInt8(ascii: "-") {
            isNegative = true
            rest.removeFirst()
        }
        let mantissa = rest.prefix { $0 | 0x20 != UInt8(ascii: "e") }
        var isFraction = false
        for byte in mantissa {
            if byte == UInt8(ascii: ".") {
                isFraction = true
                continue
            }
            if isFraction { exponent -= 1 }
            // Leading zeros do not change the value. Without them more than 19 digits are certainly out of range.
            if digits.isEmpty && byte == UInt8(ascii: "0") { continue }
            digits.append(byte - UInt8(ascii: "0"))
        }
        exponent += Self.saturatedExponent(rest.dropFirst(mantissa.count + 1))
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
    }

    /// The value; `nil` if it is not an integer in the range of `Int64`.
    var integer: Int64? {
        guard !digits.isEmpty else { return 0 }
        // Int64.min has 19 digits.
        guard exponent >= 0, digits.count + exponent <= 19 else { return nil }
        var value: Int64 = 0
        for digit in digits + repeatElement(0, count: exponent) {
            // Negative while it is summed up, because Int64.min has no positive counterpart.
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (difference, passed) = product.subtractingReportingOverflow(Int64(digit))
            guard !overflowed, !passed else { return nil }
            value = difference
        }
        return isNegative ? value : value == .min ? nil : -value
    }

    /// Parses an exponent, limited to ±2⁵⁶ so that no sum overflows.
    ///
    /// No literal that fits in memory has enough digits to make up for a larger exponent.
    private static func saturatedExponent(_ text: Substring.UTF8View) -> Int {
        var value = 0
        for byte in text where byte != UInt8(ascii: "+") && byte != UInt8(ascii: "-") {
            value = min(value * 10 + Int(byte - UInt8(ascii: "0")), 1 << 56)
        }
        return text.first == UInt8(ascii: "-") ? -value : value
    }
}
