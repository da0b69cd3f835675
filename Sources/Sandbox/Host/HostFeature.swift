/// A feature of the host that a sandbox uses and that a host may lack, in the order of reports.
package enum HostFeature: String, Sendable, Hashable, CaseIterable {
    /// A kernel that is new enough.
    case kernel
    /// User namespaces that this user may create (user_namespaces(7)).
    case userNamespaces = "user_namespaces"
    /// Mounts for each run.
    case mounts
    /// Leaving the host's file system (pivot_root(2)).
    case pivotRoot = "pivot_root"
    /// Pid, mount, ipc, uts, cgroup and network namespaces (namespaces(7)).
    case namespaces
    /// A host user for each slot.
    case hostUsers = "host_users"
    /// Landlock, which protects the file system beside the mounts (landlock(7)).
    case landlock
    /// The system call filter (seccomp(2)).
    case seccomp
    /// A limit on the memory of a run (cgroups(7)).
    case memory
    /// A limit on the processes of a run (cgroups(7)).
    case processes
    /// A limit on the processor time of a run (cgroups(7)).
    case cpu
    /// A higher priority for the service than for commands (setpriority(2)).
    case priority

    /// The features without which no sandbox can be built.
    ///
    /// If one of them is missing, the service does not start.
    package static let indispensable: Set<HostFeature> = [
        .kernel, .userNamespaces, .mounts, .pivotRoot, .namespaces, .seccomp,
    ]

    /// The set-up steps that need the feature: it is present if all of them have succeeded.
    var steps: [SetupStep] {
        switch self {
        case .kernel, .priority: []
        case .userNamespaces: [.launcherUserNamespace, .userNamespace, .idMap]
        case .mounts: [.launcherMountNamespace, .root, .rootEntry, .proc, .scratch]
        case .pivotRoot: [.pivotRoot]
        case .namespaces: [.clone, .hostName]
        case .hostUsers: [.identity]
        case .landlock: [.landlock]
        case .seccomp: [.systemCallFilter]
        case .memory, .processes, .cpu: [.controlGroup]
        }
    }

    /// The cgroup controller that enforces the feature's limit.
    var controller: CgroupSupport.Controller? {
        switch self {
        case .memory: .memory
        case .processes: .processes
        case .cpu: .cpu
        default: nil
        }
    }
}

/// A protection that an operator requires with `--require`: without it, the service does not start.
package enum Requirement: String, Sendable, Hashable, CaseIterable {
    /// All requirements below.
    case isolation
    /// Separate namespaces and a separate file system for each run.
    case namespaces
    /// The system call filter.
    case seccomp
    /// Landlock, which protects the file system beside the mounts.
    case landlock
    /// Limits by control groups: the three requirements below.
    case cgroups
    /// A limit on the memory of a run.
    case memory
    /// A limit on the processes of a run, by a control group.
    case processes
    /// A limit on the processor time of a run, by a control group.
    case cpu

    /// The features that the host must have.
    package var features: Set<HostFeature> {
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
