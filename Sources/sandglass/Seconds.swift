internal import ArgumentParser

/// A duration on the command line: a number of seconds above zero, such as `0.5`.
struct Seconds: ExpressibleByArgument {
    /// The most: a year.
    ///
    /// What is longer is a mistake.
    private static let maximum = 31_536_000.0

    let duration: Duration

    init?(argument: String) {
        guard let seconds = Double(argument), seconds > 0, seconds <= Self.maximum else { return nil }
        duration = .nanoseconds(max(1, Int64((seconds * 1e9).rounded())))
    }
}
