/// The name of a run: a ULID, written as 26 characters of Crockford's base 32.
///
/// A ULID has 48 bits of Unix time in milliseconds and 80 random bits.
/// Ids sort by creation, also as text, and reveal nothing about the creator.
/// Source: the ULID specification, <https://github.com/ulid/spec>.
package struct RunID: Sendable, Hashable, Comparable {
    private let high: UInt64
    private let low: UInt64

    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
    private static let length = 26
    /// The value of each byte as a digit; 255 for a byte that is not a digit.
    private static let values: [UInt8] = (0...255).map { byte in
        alphabet.firstIndex(of: UInt8(byte)).map { UInt8($0) } ?? 255
    }

    /// Combines a time in milliseconds since 1970 (of which 48 bits count) and 80 random bits.
    init(milliseconds: UInt64, randomHigh: UInt16, randomLow: UInt64) {
        high = milliseconds << 16 | UInt64(randomHigh)
        low = randomLow
    }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Parses the 26 characters of a ULID in this service's spelling: upper case and at most 128 bits.
    package init?(_ text: String) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var count = 0
        for character in text.utf8 {
            let digit = Self.values[Int(character)]
            // 26 digits of 5 bits are 130 bits: the first digit may not use its upper two.
            guard digit < (count == 0 ? 8 : 32) else { return nil }
            high = high << 5 | low >> 59
            low = low << 5 | UInt64(digit)
            count += 1
        }
        guard count == Self.length else { return nil }
        self.high = high
        self.low = low
    }

    /// Restores an id from its 16 ``bytes``; `nil` for any other number of bytes.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The 128 bits in big-endian order, so that the bytes sort as the ids do.
    package var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
            for index in 0..<8 {
                buffer[index] = UInt8(truncatingIfNeeded: high >> UInt64(56 - 8 * index))
                buffer[8 + index] = UInt8(truncatingIfNeeded: low >> UInt64(56 - 8 * index))
            }
            count = 16
        }
    }

    /// Returns the lowest id of a time.
    package static func first(at time: Timestamp) -> RunID {
        let milliseconds = min(max(time.millisecondsSince1970, 0), 1 << 48 - 1)
        return RunID(milliseconds: UInt64(milliseconds), randomHigh: 0, randomLow: 0)
    }

    /// The next id within the same millisecond; `nil` in the unlikely case that there is none.
    var successor: RunID? {
        let (low, carry) = low.addingReportingOverflow(1)
        guard carry else { return RunID(high: high, low: low) }
        let next = high + 1
        return next >> 16 == high >> 16 ? RunID(high: next, low: low) : nil
    }

    /// The time of creation in milliseconds since 1970.
    var milliseconds: UInt64 { high >> 16 }

    /// Orders ids by creation.
    package static func < (left: RunID, right: RunID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension RunID: CustomStringConvertible {
    /// The 26 characters of the ULID.
    package var description: String {
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

/// A generator of run ids that never repeat and always rise.
///
/// The ids rise within one millisecond too, and when the clock steps back.
package struct RunIDGenerator: Sendable {
    private var last: RunID?

    /// Creates a generator.
    ///
    /// - Parameter last: the latest id of an earlier generator, which all new ids exceed; `nil` if there is none.
    package init(after last: RunID? = nil) { self.last = last }

    /// Generates the next id.
    ///
    /// - Parameter now: the time of day.
    /// - Returns: an id above every earlier one.
    package mutating func next(now: Timestamp) -> RunID {
        let milliseconds = UInt64(max(0, now.millisecondsSince1970))
        let id: RunID
        if let last, milliseconds <= last.milliseconds {
            // Within one millisecond an id is its predecessor plus one. The random part overflows once in 2^80 times;
            // the id then takes the next millisecond.
            id = last.successor ?? Self.random(milliseconds: last.milliseconds + 1)
        } else {
            id = Self.random(milliseconds: milliseconds)
        }
        last = id
        return id
    }

    private static func random(milliseconds: UInt64) -> RunID {
        RunID(
            milliseconds: milliseconds,
            randomHigh: .random(in: .min ... .max),
            randomLow: .random(in: .min ... .max)
        )
    }
}
