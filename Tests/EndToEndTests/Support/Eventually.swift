import Glibc

/// Looks until a condition holds, for conditions that nobody reports, such as a process being gone.
///
/// - Parameters:
///   - seconds: a bound against hanging, far above what is needed.
///   - condition: what shall become true.
/// - Returns: whether it did.
func eventually(within seconds: Double = 30, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = monotonicSeconds() + seconds
    while true {
        if try condition() { return true }
        guard monotonicSeconds() < end else { return false }
        usleep(1_000)
    }
}

/// CLOCK_MONOTONIC.
func monotonicSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}
