internal import Glibc

/// CLOCK_MONOTONIC, as a duration since some moment in the past.
enum MonotonicClock {
    static var now: Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
