internal import CLinux
internal import Glibc

/// A point on CLOCK_MONOTONIC (clock_gettime(2)): the clock of every limit, the same in every namespace.
package struct MonotonicTime: Sendable, Hashable, Comparable {
    /// Nanoseconds since the clock's origin, which is before the start of this process.
    package let nanoseconds: UInt64

    /// Creates the point this many nanoseconds after the clock's origin.
    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// The current time.
    package static var now: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// Returns the point `duration` later, or the last representable one.
    package func advanced(by duration: Duration) -> MonotonicTime {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return MonotonicTime(nanoseconds: overflow ? .max : sum)
    }

    /// Returns the time since an earlier point, or zero if that point is not earlier.
    package func since(_ earlier: MonotonicTime) -> Duration {
        .nanoseconds(Int64(clamping: nanoseconds - min(nanoseconds, earlier.nanoseconds)))
    }

    /// Orders points by time.
    package static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

extension Duration {
    /// This duration in nanoseconds; 0 if it is negative.
    ///
    /// Fractions are rounded up, so that a wait is never too short.
    package var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return .max }
        let sum = product.addingReportingOverflow((UInt64(attoseconds) + 999_999_999) / 1_000_000_000)
        return sum.overflow ? .max : sum.partialValue
    }
}
