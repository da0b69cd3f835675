/// A number's literal taken apart: its digits without the point, and the power of ten that they are multiplied by.
///
/// It decides exactly what `Double` would round: 9007199254740993 is not 9007199254740992.
struct Decimal {
    private var isNegative = false
    private var digits: [UInt8] = []
    private var exponent = 0

    /// - Parameter literal: a number as RFC 8259 §6 spells it.
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
            // Leading zeros say nothing, and without them a long digit string is surely out of range.
            if digits.isEmpty && byte == UInt8(ascii: "0") { continue }
            digits.append(byte - UInt8(ascii: "0"))
        }
        exponent += Self.saturatedExponent(rest.dropFirst(mantissa.count + 1))
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
    }

    /// The value, if it is an integer in the range of `Int64`.
    var integer: Int64? {
        guard !digits.isEmpty else { return 0 }
        // Int64.min has 19 digits.
        guard exponent >= 0, digits.count + exponent <= 19 else { return nil }
        var value: Int64 = 0
        for digit in digits + repeatElement(0, count: exponent) {
            // Counts downwards, for Int64.min has no positive counterpart.
            let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
            let (difference, passed) = product.subtractingReportingOverflow(Int64(digit))
            guard !overflowed, !passed else { return nil }
            value = difference
        }
        return isNegative ? value : value == .min ? nil : -value
    }

    /// An exponent that is too long for any literal to make up for becomes ±2⁵⁶, so that nothing overflows.
    private static func saturatedExponent(_ text: Substring.UTF8View) -> Int {
        var value = 0
        for byte in text where byte != UInt8(ascii: "+") && byte != UInt8(ascii: "-") {
            value = min(value * 10 + Int(byte - UInt8(ascii: "0")), 1 << 56)
        }
        return text.first == UInt8(ascii: "-") ? -value : value
    }
}
