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
