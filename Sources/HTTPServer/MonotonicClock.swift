internal import CLinux

/// CLOCK_MONOTONIC, as a duration since some moment in the past.
enum MonotonicClock {
    static var nanoseconds: Int64 { sandglass_monotonic_nanoseconds() }

    static var now: Duration { .nanoseconds(sandglass_monotonic_nanoseconds()) }
}
