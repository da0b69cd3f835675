#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A time of day in UTC, in whole milliseconds.
///
/// For people and for sorting; limits are measured on another clock.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public let millisecondsSince1970: Int64

    /// A time so many milliseconds after 1970-01-01T00:00:00Z.
    public init(millisecondsSince1970: Int64) {
        self.millisecondsSince1970 = millisecondsSince1970
    }

    /// What CLOCK_REALTIME says now (clock_gettime(2)).
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(millisecondsSince1970: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Orders by time.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.millisecondsSince1970 < right.millisecondsSince1970
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 with milliseconds, such as `2026-01-31T08:15:30.123Z`.
    public var description: String {
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
