/// What was being done when a launcher, a slot or a command could not be set up.
///
/// In the order in which it is done.
public enum SetupStep: String, Sendable, Hashable, CaseIterable {
    /// Making the launcher process.
    case launcherProcess = "launcher_process"
    /// A user namespace for the launcher of an ordinary user.
    case launcherUserNamespace = "launcher_user_namespace"
    /// A mount namespace for the launcher.
    case launcherMountNamespace = "launcher_mount_namespace"
    /// The tmpfs that becomes the root.
    case root
    /// One entry of the read-only file system.
    case rootEntry = "root_entry"
    /// Leaving the host's file system.
    case pivotRoot = "pivot_root"
    /// The root of an image, by its number, or going over to it.
    case image
    /// A control group for a slot.
    case controlGroup = "control_group"
    /// A network namespace.
    case network
    /// clone3(2) into new namespaces.
    case clone
    /// The name of the host.
    case hostName = "host_name"
    /// A /proc of the run's own.
    case proc
    /// The writable file systems.
    case scratch
    /// The host user.
    case identity
    /// The run's own user namespace.
    case userNamespace = "user_namespace"
    /// Its ids.
    case idMap = "id_map"
    /// Giving up all capabilities.
    case capabilities
    /// Dying with the launcher.
    case deathSignal = "death_signal"
    /// The second wall around the file system (landlock(7)).
    case landlock
    /// Signals and descriptors of the slot.
    case signals
    /// The filter of system calls (seccomp(2)).
    case systemCallFilter = "system_call_filter"
    /// Reading what to run.
    case request
    /// A file of the run, by its number.
    case files
    /// The command's process.
    case fork
    /// Its descriptors 0, 1 and 2.
    case standardStreams = "standard_streams"
    /// Its resource limits.
    case limits
    /// Its working directory.
    case workingDirectory = "working_directory"
    /// execve(2).
    case exec
    /// The launcher ended.
    case launcher
    /// The slot ended without a word.
    case slot

    /// Whether it is the command that is at fault, and not this service.
    public var isTheCommands: Bool {
        switch self {
        case .files, .workingDirectory, .exec: true
        default: false
        }
    }

    /// Whether it is done before another.
    func comesBefore(_ other: SetupStep) -> Bool {
        for step in Self.allCases {
            if step == other { return false }
            if step == self { return true }
        }
        return false
    }
}
