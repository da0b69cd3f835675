/// A JSON number (RFC 8259 §6), kept as it was written, so that nobody's rounding decides what a client meant.
///
/// Two numbers are equal if they are spelt the same: `1.0` and `1` are different numbers here.
public struct JSONNumber: Sendable, Equatable {
    /// The number as RFC 8259 §6 spells it.
    public let literal: String

    /// The number with this literal, or nil if RFC 8259 §6 does not allow that spelling.
    public init?(literal: String) {
        var scanner = Scanner(Array(literal.utf8))
        guard (try? scanner.number()) != nil, scanner.isAtEnd else { return nil }
        self.literal = literal
    }

    /// The number that an integer is.
    public init(_ integer: Int64) {
        literal = String(integer)
    }

    /// For a literal that the scanner has checked.
    init(scanned literal: String) {
        self.literal = literal
    }

    /// The nearest double (RFC 8259 §6), or nil if that is infinite, as for `1e400`.
    public var double: Double? {
        guard let value = Double(literal), value.isFinite else { return nil }
        return value
    }

    /// The number if it is exactly an integer and in the range of `Int64`, else nil.
    ///
    /// `1e3`, `1.0` and `-0` are integers, for the value counts and not its spelling; `1.5` is not (RFC 8259 §6).
    public var integer: Int64? {
        Decimal(literal).integer
    }
}
