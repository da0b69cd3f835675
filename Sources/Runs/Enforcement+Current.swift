extension Enforcement {
    /// What this version enforces on every host that it runs on, by the means that none lacks: it does not start where it
    /// cannot.
    public static let current = Enforcement(
        memory: .none,
        processes: .rlimit,
        cpu: .rlimit,
        network: .namespace,
        filesystem: .namespace,
        syscalls: .none
    )

    /// The receipt of a run that asks for this network: what it shares with the host is not enforced.
    ///
    /// - Parameter network: what the run sees.
    /// - Returns: this receipt, or one without a network of the run's own.
    public func with(_ network: RunNetwork) -> Enforcement {
        var receipt = self
        if network == .host { receipt.network = .none }
        return receipt
    }
}
