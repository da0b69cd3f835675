#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A time of day in UTC, in whole milliseconds.
///
/// Timestamps are for people and for sorting. Limits are measured by CLOCK_MONOTONIC.
package struct Timestamp: Sendable, Hashable, Comparable {
    /// The number of milliseconds since 1970-01-01T00:00:00Z.
    package let millisecondsSince1970: Int64

    package init(millisecondsSince1970: Int64) {
        self.millisecondsSince1970 = millisecondsSince1970
    }

    /// The current time by CLOCK_REALTIME (clock_gettime(2)).
    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(millisecondsSince1970: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.millisecondsSince1970 < right.millisecondsSince1970
    }
}

extension Timestamp {
    /// Parses a time as of RFC 3339, such as `2026-01-31T08:15:30Z` or `2026-01-31T08:15:30.5+01:00`.
    ///
    /// Digits after the milliseconds are cut off. A leap second counts as the second after it.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        func number(_ start: Int, _ count: Int, _ range: ClosedRange<Int>) -> Int? {
            guard start + count <= bytes.count else { return nil }
            var number = 0
            for byte in bytes[start..<start + count] {
                guard (0x30...0x39).contains(byte) else { return nil }
                number = number * 10 + Int(byte - 0x30)
            }
            return range.contains(number) ? number : nil
        }
        func has(_ characters: String, at index: Int) -> Bool {
            index < bytes.count && characters.utf8.contains(bytes[index])
        }
        guard let year = number(0, 4, 1...9999), has("-", at: 4), let month = number(5, 2, 1...12), has("-", at: 7),
            let day = number(8, 2, 1...31), has("Tt ", at: 10), let hour = number(11, 2, 0...23), has(":", at: 13),
            let minute = number(14, 2, 0...59), has(":", at: 16), let second = number(17, 2, 0...60)
        else { return nil }
        var fields = tm()
        (fields.tm_year, fields.tm_mon, fields.tm_mday) = (Int32(year - 1900), Int32(month - 1), Int32(day))
        (fields.tm_hour, fields.tm_min, fields.tm_sec) = (Int32(hour), Int32(minute), 0)
        let seconds = Int64(timegm(&fields))
        // A day that its month does not have is another day now.
        guard fields.tm_mday == Int32(day) else { return nil }
        var end = 19
        var milliseconds = 0
        if has(".", at: end) {
            let digits = bytes[(end + 1)...].prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty else { return nil }
            milliseconds = (0..<3).reduce(0) { $0 * 10 + ($1 < digits.count ? Int(digits[end + 1 + $1] - 0x30) : 0) }
            end += 1 + digits.count
        }
        var offset = 0
        if has("Zz", at: end) {
            end += 1
        } else {
            guard has("+-", at: end), let hours = number(end + 1, 2, 0...23), has(":", at: end + 3),
                let minutes = number(end + 4, 2, 0...59)
            else { return nil }
            offset = (hours * 60 + minutes) * (bytes[end] == UInt8(ascii: "-") ? -1 : 1)
            end += 6
        }
        guard end == bytes.count else { return nil }
        millisecondsSince1970 = (seconds + Int64(second - 60 * offset)) * 1000 + Int64(milliseconds)
    }
}

extension Timestamp: CustomStringConvertible {
    /// The time as RFC 3339 with milliseconds, such as `2026-01-31T08:15:30.123Z`.
    package var description: String {
        let milliseconds = (millisecondsSince1970 % 1000 + 1000) % 1000
        var seconds = time_t((millisecondsSince1970 - milliseconds) / 1000)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        return Self.digits(Int(fields.tm_year) + 1900, 4) + "-" + Self.digits(Int(fields.tm_mon) + 1, 2) + "-"
            + Self.digits(Int(fields.tm_mday), 2) + "T" + Self.digits(Int(fields.tm_hour), 2) + ":"
            + Self.digits(Int(fields.tm_min), 2) + ":" + Self.digits(Int(fields.tm_sec), 2) + "."
            + Self.digits(Int(milliseconds), 3) + "Z"
    }

    private static func digits(_ number: Int, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
}
