/// The name of a run: a ULID, 48 bits of Unix time in milliseconds and 80 random bits, written as 26 characters of
/// Crockford's base 32.
///
/// It sorts by creation, also as text, and says nothing about who created it.
/// Source: the ULID specification, <https://github.com/ulid/spec>.
public struct RunID: Sendable, Hashable, Comparable {
    private let high: UInt64
    private let low: UInt64

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    private static let length = 26
    /// The digit that a byte stands for; 255 for those that are none.
    private static let values: [UInt8] = (0...255).map { byte in
        alphabet.firstIndex(of: UInt8(byte)).map { UInt8($0) } ?? 255
    }

    /// Joins a time in milliseconds since 1970 (of which 48 bits count) and 80 random bits.
    init(milliseconds: UInt64, randomHigh: UInt16, randomLow: UInt64) {
        high = milliseconds << 16 | UInt64(randomHigh)
        low = randomLow
    }

    /// Reads the 26 characters of a ULID as this service writes them: upper case, not beyond 128 bits.
    public init?(_ text: String) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var count = 0
        for character in text.utf8 {
            let digit = Self.values[Int(character)]
            // 26 digits of 5 bits are 130: the first may not use its upper two.
            guard digit < (count == 0 ? 8 : 32) else { return nil }
            high = high << 5 | low >> 59
            low = low << 5 | UInt64(digit)
            count += 1
        }
        guard count == Self.length else { return nil }
        self.high = high
        self.low = low
    }

    /// Joins 16 bytes, as ``bytes`` gives them; `nil` if there are not so many.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Its 128 bits, the highest first: they sort as it does.
    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
            for index in 0..<8 {
                buffer[index] = UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * index))
                buffer[8 + index] = UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * index))
            }
            count = 16
        }
    }

    /// The one after this within the same millisecond, or `nil` in the unlikely case that there is none.
    var successor: RunID? {
        let (low, carry) = low.addingReportingOverflow(1)
        guard carry else { return RunID(high: high, low: low) }
        let next = high + 1
        return next >> 16 == high >> 16 ? RunID(high: next, low: low) : nil
    }

    /// When it was made, in milliseconds since 1970.
    var milliseconds: UInt64 { high >> 16 }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Orders by creation.
    public static func < (left: RunID, right: RunID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension RunID: CustomStringConvertible {
    /// The 26 characters.
    public var description: String {
        String(unsafeUninitializedCapacity: Self.length) { text in
            var (high, low) = (high, low)
            for position in stride(from: Self.length - 1, through: 0, by: -1) {
                text[position] = Self.alphabet[Int(low & 31)]
                low = low >> 5 | high << 59
                high >>= 5
            }
            return Self.length
        }
    }
}
