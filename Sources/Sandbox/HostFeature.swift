/// What a sandbox rests on and a host may lack, in the order in which it is told.
public enum HostFeature: String, Sendable, Hashable, CaseIterable {
    /// A kernel that is new enough.
    case kernel
    /// User namespaces, which this user may make (user_namespaces(7)).
    case userNamespaces = "user_namespaces"
    /// Mounting a file system for each run.
    case mounts
    /// Leaving the host's file system (pivot_root(2)).
    case pivotRoot = "pivot_root"
    /// Pid, mount, ipc, uts, cgroup and network namespaces (namespaces(7)).
    case namespaces
    /// A user of the host's for each slot.
    case hostUsers = "host_users"
    /// The second wall around the file system (landlock(7)).
    case landlock
    /// The filter of system calls (seccomp(2)).
    case seccomp
    /// A limit on the memory of a run (cgroups(7)).
    case memory
    /// A limit on the processes of a run (cgroups(7)).
    case processes
    /// A limit on the processor time of a run (cgroups(7)).
    case cpu
    /// A better priority for the service than for commands (setpriority(2)).
    case priority

    /// Those without which there is no sandbox, and so no service.
    public static let indispensable: Set<HostFeature> = [
        .kernel, .userNamespaces, .mounts, .pivotRoot, .namespaces, .seccomp,
    ]

    /// The steps that need it: when all of them are behind, it is there.
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

    /// What control groups do for it.
    var controller: CgroupSupport.Controller? {
        switch self {
        case .memory: .memory
        case .processes: .processes
        case .cpu: .cpu
        default: nil
        }
    }
}
