extension Enforcement {
    /// What this version enforces on every host that it runs on, by the means that none lacks.
    public static let current = Enforcement(
        memory: .none,
        processes: .rlimit,
        cpu: .none,
        network: .namespace,
        filesystem: .namespace,
        syscalls: .none
    )
}
