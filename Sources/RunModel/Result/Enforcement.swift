/// The receipt of a run: the mechanism that really enforces each limit and each protection on this host.
package struct Enforcement: Sendable, Hashable {
    /// A mechanism of enforcement.
    package enum Means: String, Sendable, Hashable, CaseIterable {
        /// No enforcement.
        case none
        /// A kernel namespace of the run's own.
        case namespace
        /// A resource limit of each process or user (setrlimit(2)).
        case rlimit
        /// A control group of the run's own in version 1 hierarchies (cgroups(7)).
        case cgroup1
        /// A control group of the run's own in the version 2 hierarchy.
        case cgroup2
        /// A system call filter (seccomp(2)).
        case seccomp
    }

    /// The mechanism that limits memory.
    package var memory: Means
    /// The mechanism that limits the number of processes.
    package var processes: Means
    /// The mechanism that limits processor time.
    package var cpu: Means
    /// The mechanism that isolates the network.
    package var network: Means
    /// The mechanism that isolates the file system.
    package var filesystem: Means
    /// The mechanism that restricts system calls.
    package var syscalls: Means
    /// The mechanism that limits the processors in use; `nil` in the receipt of a run without that limit.
    package var cpus: Means?
    /// The mechanism that keeps commands from installing system call filters of their own; `nil` if they may not.
    ///
    /// The kernel keeps such filters in memory of the host that no limit counts.
    package var filters: Means?

    package init(
        memory: Means,
        processes: Means,
        cpu: Means,
        network: Means,
        filesystem: Means,
        syscalls: Means,
        cpus: Means? = nil,
        filters: Means? = nil
    ) {
        self.memory = memory
        self.processes = processes
        self.cpu = cpu
        self.network = network
        self.filesystem = filesystem
        self.syscalls = syscalls
        self.cpus = cpus
        self.filters = filters
    }

    /// The minimum that this version enforces on every host, by mechanisms that no supported kernel lacks.
    ///
    /// The service does not start on a host that lacks one of these mechanisms.
    package static let minimum = Enforcement(
        memory: .none,
        processes: .rlimit,
        cpu: .rlimit,
        network: .namespace,
        filesystem: .namespace,
        syscalls: .none
    )

    /// Returns the receipt of a run.
    ///
    /// - Parameter run: the request of the run.
    /// - Returns: this receipt, without isolation of the network if the network is the host's, and without the mechanism
    ///   for `cpus` if the run has no such limit.
    package func receipt(of run: RunSpecification) -> Enforcement {
        var receipt = self
        if run.network == .host { receipt.network = .none }
        if run.limits.cpus == nil { receipt.cpus = nil }
        return receipt
    }
}
