/// What an operator may insist on: without it, nothing is started.
public enum Requirement: String, Sendable, Hashable, CaseIterable {
    /// Everything below.
    case isolation
    /// Namespaces of each run's own, and a file system of its own.
    case namespaces
    /// The filter of system calls.
    case seccomp
    /// The second wall around the file system.
    case landlock
    /// Limits by control groups: the three below.
    case cgroups
    /// A limit on the memory of a run.
    case memory
    /// A limit on the processes of a run, by a control group.
    case processes
    /// A limit on the processor time of a run, by a control group.
    case cpu

    /// What the host must have for it.
    public var features: Set<HostFeature> {
        switch self {
        case .isolation:
            Self.allCases.filter { $0 != .isolation }.reduce(into: []) { all, one in all.formUnion(one.features) }
        case .namespaces: [.userNamespaces, .mounts, .pivotRoot, .namespaces]
        case .seccomp: [.seccomp]
        case .landlock: [.landlock]
        case .cgroups: [.memory, .processes, .cpu]
        case .memory: [.memory]
        case .processes: [.processes]
        case .cpu: [.cpu]
        }
    }
}
