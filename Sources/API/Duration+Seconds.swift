extension Duration {
    /// This duration as JSON has it: a number of seconds, exact to the nanosecond.
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        let nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !nanoseconds.overflow else { return Double(seconds) }
        // One division, so that 0.05 comes out as 0.05.
        return Double(nanoseconds.partialValue + attoseconds / 1_000_000_000) / 1e9
    }
}
