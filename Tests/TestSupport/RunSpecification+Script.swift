package import RunModel

extension RunSpecification {
    /// A run of a script by sh(1).
    package static func script(
        _ script: String,
        timeout: Duration = .seconds(60),
        grace: Duration = .zero,
        outputBytes: Int = 1 << 20,
        onOutputLimit: OutputLimitPolicy = .truncate,
        standardInput: Content = .empty
    ) -> RunSpecification {
        var limits = Limits()
        limits.timeout = timeout
        limits.outputBytes = outputBytes
        return RunSpecification(
            command: ["sh", "-c", script],
            standardInput: standardInput,
            limits: limits,
            grace: grace,
            onOutputLimit: onOutputLimit
        )
    }
}
