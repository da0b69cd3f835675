internal import CLinux
internal import Glibc

/// A point on CLOCK_MONOTONIC (clock_gettime(2)): the clock that limits are measured on, the same in every namespace.
public struct MonotonicTime: Sendable, Hashable, Comparable {
    /// Nanoseconds since some moment before the start.
    public let nanoseconds: UInt64

    /// The point so many nanoseconds after the clock's origin.
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// This moment.
    public static var now: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// The point a while later, or the last one that can be named.
    public func advanced(by duration: Duration) -> MonotonicTime {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return MonotonicTime(nanoseconds: overflow ? .max : sum)
    }

    /// The time since an earlier point; zero if it is not earlier.
    public func since(_ earlier: MonotonicTime) -> Duration {
        .nanoseconds(Int64(clamping: nanoseconds - min(nanoseconds, earlier.nanoseconds)))
    }

    /// Orders by time.
    public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

extension Duration {
    /// This duration in nanoseconds, rounded up, so that waiting for it is never too short; 0 if it is negative.
    public var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .max }
        let sum = product.addingReportingOverflow((UInt64(attoseconds) + 999_999_999) / 1_000_000_000)
        return sum.overflow ? .max : sum.partialValue
    }
}
