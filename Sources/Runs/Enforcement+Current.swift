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
}
