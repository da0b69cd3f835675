internal import CLinux
internal import Glibc

/// Properties of this host and of this process, read before any sandbox is built.
package struct HostInfo: Sendable, Hashable {
    /// The kernel's release, such as `6.1.0-13-amd64`.
    package var kernel = ""
    /// A Boolean value that indicates whether this process is root, at least in its user namespace.
    package var isRoot = false
    /// The engine of the container that this process is in, such as `podman`; `nil` outside of a container.
    package var container: String?
    /// The capabilities of this process, one bit each (capabilities(7)).
    package var capabilities: UInt64 = 0
    /// A Boolean value that indicates whether this process is under a system call filter.
    package var hasSystemCallFilter = false
    /// The AppArmor profile that confines this process, if there is one.
    package var appArmorProfile: String?
    /// A Boolean value that indicates whether mounts cover parts of /proc.
    ///
    /// A process that is root only in a user namespace may then mount no /proc (user_namespaces(7)).
    package var procIsMasked = false
    /// A Boolean value that indicates whether this process is in a user namespace other than the first.
    ///
    /// A container of an ordinary user has such a namespace.
    package var isInUserNamespace = false
    /// The ABI version of Landlock; 0 if the kernel has none.
    package var landlockABI = 0
    /// A Boolean value that indicates whether this process may raise its priority.
    package var canRaisePriority = false
    /// The sysctl settings that must change before ordinary users can create user namespaces, as `NAME=VALUE`.
    package var neededSysctls: [String] = []

    /// Creates the properties of an unknown host.
    package init() {}

    /// Reads the properties of this host.
    package static func current() -> HostInfo {
        var info = HostInfo()
        info.kernel = text("/proc/sys/kernel/osrelease")
        info.isRoot = geteuid() == 0
        info.container = containerEngine()
        info.readStatus(text("/proc/self/status"))
        let profile = text("/proc/self/attr/current")
        info.appArmorProfile = profile.isEmpty || profile.hasPrefix("unconfined") ? nil : profile
        info.procIsMasked = text("/proc/self/mountinfo").split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 4 && fields[4].hasPrefix("/proc/")
        }
        info.isInUserNamespace = !mapsAllUsers(text("/proc/self/uid_map"))
        info.landlockABI = max(Int(sandglass_landlock_abi()), 0)
        info.canRaisePriority = tryToRaisePriority()
        info.neededSysctls = sysctls.filter { $0.forbidding == text($0.path) }.map(\.setting)
        return info
    }

    /// Reads capabilities and filters from the text of `/proc/self/status` (proc_pid_status(5)).
    mutating func readStatus(_ text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "\t", maxSplits: 1)
            switch fields.first {
            case "CapEff:": capabilities = fields.last.flatMap { UInt64($0, radix: 16) } ?? 0
            case "Seccomp:": hasSystemCallFilter = fields.last != "0"
            default: break
            }
        }
    }

    /// Returns whether a `uid_map` is that of the first user namespace (user_namespaces(7)).
    static func mapsAllUsers(_ map: String) -> Bool { map.split(separator: " ") == ["0", "0", "4294967295"] }

    private static let sysctls: [(path: String, forbidding: String, setting: String)] = [
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
            "kernel.apparmor_restrict_unprivileged_userns=0"
        ),
        ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ]

    private static func text(_ path: String) -> String {
        var bytes = HostFile.contents(of: path, atMost: 4 << 20) ?? []
        while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func containerEngine() -> String? {
        if access("/run/.containerenv", F_OK) == 0 { return "podman" }
        if access("/.dockerenv", F_OK) == 0 { return "docker" }
        // The variable is described on systemd's CONTAINER_INTERFACE page.
        guard let name = getenv("container"), name.pointee != 0 else { return nil }
        return String(cString: name)
    }

    /// Raises the priority by one, restores it, and returns whether that was allowed.
    ///
    /// Only the calling thread is affected (setpriority(2)), and the kernel never refuses to lower a priority.
    private static func tryToRaisePriority() -> Bool {
        let thread = __priority_which_t(PRIO_PROCESS.rawValue)
        let nice = getpriority(thread, 0)
        guard setpriority(thread, 0, nice - 1) == 0 else { return false }
        setpriority(thread, 0, nice)
        return true
    }
}

// MARK: Remedies

extension HostInfo {
    private static let adminCapability: UInt64 = 1 << 21  // CAP_SYS_ADMIN
    /// The oldest supported kernel, Linux 5.15.
    private static let oldestKernel = [5, 15]

    /// A Boolean value that indicates whether the kernel is new enough.
    ///
    /// A release that cannot be parsed counts as new enough.
    var kernelIsNewEnough: Bool {
        let numbers = kernel.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count < 2 || !numbers.lexicographicallyPrecedes(Self.oldestKernel)
    }

    /// The flags that this container needs and was not started with; empty outside of a container.
    package var missingContainerFlags: [String] {
        guard let container else { return [] }
        var flags: [String] = []
        let isAdministrator = capabilities & Self.adminCapability != 0
        if !isAdministrator { flags.append("--cap-add=SYS_ADMIN") }
        // Podman's filter allows the calls that a capability permits, including pivot_root(2). Docker's does not.
        if hasSystemCallFilter, isAdministrator || container != "podman" {
            flags.append("--security-opt=seccomp=unconfined")
        }
        if appArmorProfile != nil { flags.append("--security-opt=apparmor=unconfined") }
        if procMaskPreventsMount { flags.append(unmaskFlag) }
        return flags
    }

    private var procMaskPreventsMount: Bool { procIsMasked && (isInUserNamespace || !isRoot) }

    private var unmaskFlag: String {
        container == "docker" ? "--security-opt=systempaths=unconfined" : "--security-opt=unmask=ALL"
    }

    /// Returns the action that would let a failed step succeed.
    func remedy(for failure: SetupFailure) -> String {
        let isAboutPrivilege =
            failure.number == EPERM || failure.number == EACCES || failure.number == ENOSYS
            || failure.number == ENOSPC || failure.number == EUSERS
        if container != nil, isAboutPrivilege {
            // A container that reached the mount of /proc has the flags that the earlier steps need.
            let flags = failure.step == .proc && procMaskPreventsMount ? [unmaskFlag] : missingContainerFlags
            if !flags.isEmpty { return "start this container with " + flags.joined(separator: " ") }
        }
        if failure.step == .launcherUserNamespace || failure.step == .userNamespace, !neededSysctls.isEmpty {
            return "run sandglass as root, or let ordinary users create user namespaces: sysctl -w "
                + neededSysctls.joined(separator: " ")
        }
        return failure.advice
            ?? "no remedy is known, because hosts rarely lack this; check what the step \(failure.step.rawValue) needs"
    }

    /// The action that would make control groups usable.
    var cgroupRemedy: String {
        if !isRoot {
            return
                "run sandglass as root; or, with systemd and control groups of version 2, in a delegated scope: "
                + "systemd-run --user --scope -p Delegate=yes sandglass serve"
        }
        if container != nil {
            return "start this container with --cgroupns=host --volume=/sys/fs/cgroup:/sys/fs/cgroup:rw"
        }
        return "mount control groups for writing (mount -o remount,rw /sys/fs/cgroup); "
            + "if the kernel has disabled the memory controller, boot it with cgroup_enable=memory"
    }

    /// The action that would give the service a higher priority than commands.
    var priorityRemedy: String {
        if !isRoot { return "run sandglass as root" }
        return container == nil
            ? "give sandglass the capability CAP_SYS_NICE" : "start this container with --cap-add=SYS_NICE"
    }

    /// The action that would make Landlock usable.
    var landlockRemedy: String {
        let kernel =
            "boot Linux 5.19 or later with CONFIG_SECURITY_LANDLOCK, and with landlock in its lsm= boot parameter"
        guard container != nil, hasSystemCallFilter else { return kernel }
        return "start this container with --security-opt=seccomp=unconfined, or " + kernel
    }
}
