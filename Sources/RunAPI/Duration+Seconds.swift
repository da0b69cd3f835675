extension Duration {
    /// The duration as a JSON number: seconds, exact to the nanosecond.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        let nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !nanoseconds.overflow else { return Double(seconds) }
        // A single division, so that 50 ms become exactly 0.05.
        return Double(nanoseconds.partialValue + attoseconds / 1_000_000_000) / 1e9
    }
}
