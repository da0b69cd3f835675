/// The receipt: by what each limit and wall is really enforced on this host.
public struct Enforcement: Sendable, Hashable {
    /// A means of enforcement.
    public enum Means: String, Sendable, Hashable, CaseIterable {
        /// Nothing enforces it.
        case none
        /// A kernel namespace of the run's own.
        case namespace
        /// A resource limit of each process or user (setrlimit(2)).
        case rlimit
        /// A control group of the run's own in version 1 hierarchies (cgroups(7)).
        case cgroup1
        /// A control group of the run's own in the version 2 hierarchy.
        case cgroup2
        /// A filter of system calls (seccomp(2)).
        case seccomp
    }

    /// Of memory.
    public var memory: Means
    /// Of the number of processes.
    public var processes: Means
    /// Of processor time.
    public var cpu: Means
    /// Of the network.
    public var network: Means
    /// Of the file system.
    public var filesystem: Means
    /// Of system calls.
    public var syscalls: Means

    /// A receipt.
    public init(
        memory: Means,
        processes: Means,
        cpu: Means,
        network: Means,
        filesystem: Means,
        syscalls: Means
    ) {
        self.memory = memory
        self.processes = processes
        self.cpu = cpu
        self.network = network
        self.filesystem = filesystem
        self.syscalls = syscalls
    }
}
