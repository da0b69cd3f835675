public import Reactor

/// Why a launcher, a slot or a command could not be set up.
public struct SetupFailure: Error, Sendable, Hashable {
    /// What was being done.
    public let step: SetupStep
    /// Which item of several, such as the entry of the file system; `nil` if there is but one.
    public let index: Int?
    /// The error number (errno(3)).
    public let number: Int32

    /// A failed step.
    public init(step: SetupStep, index: Int? = nil, number: Int32) {
        self.step = step
        self.index = index
        self.number = number
    }

    /// A failed step, by the system call that failed.
    public init(step: SetupStep, error: SystemError) {
        self.init(step: step, number: error.number)
    }
}

extension SetupFailure: CustomStringConvertible {
    /// One line: what failed, and what may be done about it.
    public var description: String { advice.map { "\(summary). \($0)" } ?? summary }

    /// What failed.
    var summary: String {
        let item = index.map { " \($0)" } ?? ""
        return "\(step.rawValue)\(item): \(SystemError.meaning(of: number)) (\(SystemError.name(of: number)))"
    }

    /// What may be done about it.
    var advice: String? {
        switch step {
        case .launcherUserNamespace:
            """
            This host does not let ordinary users make user namespaces. Run sandglass as root, or allow them: \
            sysctl kernel.unprivileged_userns_clone=1 (Debian), \
            sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), sysctl user.max_user_namespaces=10000
            """
        case .launcherMountNamespace, .network, .clone, .proc, .root, .pivotRoot:
            """
            Namespaces are not allowed here. In a container, start it with --privileged, or with --cap-add SYS_ADMIN \
            and seccomp, AppArmor and the masks of /proc switched off (the README says how)
            """
        case .systemCallFilter:
            "Commands are not run without a filter of system calls, and this kernel takes none (CONFIG_SECCOMP_FILTER)"
        default: nil
        }
    }
}
