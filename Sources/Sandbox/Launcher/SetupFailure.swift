internal import Glibc
package import System

/// The failure of a step that sets up a launcher, a slot or a command.
package struct SetupFailure: Error, Sendable, Hashable {
    /// The step that failed.
    package let step: SetupStep
    /// The index of the item that failed, such as an entry of the file system; `nil` for a step with one item.
    package let index: Int?
    /// The number of an archive's entry that failed, counted from 1; `nil` if the item is no archive.
    package let entry: Int?
    /// The error number (errno(3)).
    package let number: Int32

    /// Creates a failure.
    package init(step: SetupStep, index: Int? = nil, entry: Int? = nil, number: Int32) {
        self.step = step
        self.index = index
        self.entry = entry
        self.number = number
    }

    /// Creates a failure of a step whose system call failed.
    package init(step: SetupStep, error: SystemError) {
        self.init(step: step, number: error.number)
    }
}

extension SetupFailure: CustomStringConvertible {
    /// One line: the failure, and the advice if there is any.
    package var description: String { advice.map { "\(summary). \($0)" } ?? summary }

    /// The step, its item and the error.
    var summary: String {
        let item = index.map { " \($0)" } ?? ""
        return "\(step.rawValue)\(item): \(SystemError.meaning(of: number)) (\(SystemError.name(of: number)))"
    }

    /// The action that makes the step succeed, for steps that hosts commonly forbid.
    var advice: String? {
        switch step {
        case .launcherUserNamespace:
            """
            This host does not let ordinary users create user namespaces. Run sandglass as root, or allow them: \
            sysctl kernel.unprivileged_userns_clone=1 (Debian), \
            sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), sysctl user.max_user_namespaces=10000
            """
        case .launcherMountNamespace, .network, .clone, .proc, .root, .pivotRoot:
            """
            This host does not allow namespaces. In a container, start it with --privileged, or with \
            --cap-add SYS_ADMIN and without seccomp, AppArmor and the masks of /proc (see docs/operations.md)
            """
        case .launcher where number == ETIMEDOUT:
            """
            The process that creates sandboxes did not respond within 30 seconds: it is stopped, starved, or stuck in the \
            kernel (see `dmesg`). Start again when the host is idle; if that fails too, reboot it
            """
        case .systemCallFilter:
            """
            This kernel accepts no system call filter, and sandglass runs no command without one. Boot a kernel with \
            CONFIG_SECCOMP_FILTER
            """
        default: nil
        }
    }
}

/// A step of setting up a launcher, a slot or a command.
///
/// The cases are in the order in which the steps are done.
package enum SetupStep: String, Sendable, Hashable, CaseIterable {
    /// Creating the launcher process.
    case launcherProcess = "launcher_process"
    /// Creating a user namespace for the launcher of an ordinary user.
    case launcherUserNamespace = "launcher_user_namespace"
    /// Creating a mount namespace for the launcher.
    case launcherMountNamespace = "launcher_mount_namespace"
    /// Mounting the tmpfs that becomes the root.
    case root
    /// Creating one entry of the read-only file system.
    case rootEntry = "root_entry"
    /// Leaving the host's file system (pivot_root(2)).
    case pivotRoot = "pivot_root"
    /// Building the root of an image, named by its number, or entering it.
    case image
    /// Creating a control group for a slot.
    case controlGroup = "control_group"
    /// Creating a network namespace.
    case network
    /// Creating a process in new namespaces (clone3(2)).
    case clone
    /// Setting the host name.
    case hostName = "host_name"
    /// Mounting a /proc of the run's own.
    case proc
    /// Mounting the writable file systems.
    case scratch
    /// Changing to the host user.
    case identity
    /// Creating the run's own user namespace.
    case userNamespace = "user_namespace"
    /// Writing the id maps of the user namespace.
    case idMap = "id_map"
    /// Dropping all capabilities.
    case capabilities
    /// Requesting a signal at the launcher's death.
    case deathSignal = "death_signal"
    /// Installing the Landlock rules, which protect the file system beside the mounts (landlock(7)).
    case landlock
    /// Setting up the slot's signals and descriptors.
    case signals
    /// Installing the system call filter (seccomp(2)).
    case systemCallFilter = "system_call_filter"
    /// Reading the command.
    case request
    /// Creating an input file, named by its number, or an entry of an archive.
    case files
    /// Creating the command's process.
    case fork
    /// Setting up descriptors 0, 1 and 2.
    case standardStreams = "standard_streams"
    /// Setting the resource limits.
    case limits
    /// Entering the working directory.
    case workingDirectory = "working_directory"
    /// Executing the command (execve(2)).
    case exec
    /// Using the launcher, which has exited.
    case launcher
    /// Using the slot, which has exited without a report.
    case slot

    /// A Boolean value that indicates whether a failure of the step is the command's fault, not this service's.
    package var isCommandFault: Bool {
        switch self {
        case .files, .workingDirectory, .exec: true
        default: false
        }
    }

    /// Returns whether this step is done before another.
    func comesBefore(_ other: SetupStep) -> Bool {
        for step in Self.allCases {
            if step == other { return false }
            if step == self { return true }
        }
        return false
    }
}
