internal import Glibc

extension HostFacts {
    private static let administrator: UInt64 = 1 << 21  // CAP_SYS_ADMIN
    /// Linux 5.15 is the oldest kernel that Sandglass is made for.
    private static let oldestKernel = [5, 15]

    /// Whether the kernel is new enough; one whose release nobody can read is taken for it.
    var kernelIsNewEnough: Bool {
        let numbers = kernel.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count < 2 || !numbers.lexicographicallyPrecedes(Self.oldestKernel)
    }

    /// The flags that this container was not started with and needs; none outside of one.
    public var missingContainerFlags: [String] {
        guard let container else { return [] }
        var flags: [String] = []
        let isAdministrator = capabilities & Self.administrator != 0
        if !isAdministrator { flags.append("--cap-add=SYS_ADMIN") }
        // Podman's filter lets through what goes with a capability, pivot_root(2) too; Docker's does not.
        if isFiltered, isAdministrator || container != "podman" { flags.append("--security-opt=seccomp=unconfined") }
        if appArmorProfile != nil { flags.append("--security-opt=apparmor=unconfined") }
        if maskIsInTheWay { flags.append(unmaskFlag) }
        return flags
    }

    private var maskIsInTheWay: Bool { procIsMasked && (isInUserNamespace || !isRoot) }

    private var unmaskFlag: String {
        container == "docker" ? "--security-opt=systempaths=unconfined" : "--security-opt=unmask=ALL"
    }

    /// What would let a step succeed that has failed.
    func remedy(for failure: SetupFailure) -> String {
        let isAboutPrivilege =
            failure.number == EPERM || failure.number == EACCES || failure.number == ENOSYS
            || failure.number == ENOSPC || failure.number == EUSERS
        if container != nil, isAboutPrivilege {
            // Whoever came as far as /proc has what the steps before it need.
            let flags = failure.step == .proc && maskIsInTheWay ? [unmaskFlag] : missingContainerFlags
            if !flags.isEmpty { return "start this container with " + flags.joined(separator: " ") }
        }
        if failure.step == .launcherUserNamespace || failure.step == .userNamespace, !obstacles.isEmpty {
            return "run sandglass as root, or let ordinary users make user namespaces: sysctl -w "
                + obstacles.joined(separator: " ")
        }
        return failure.advice
            ?? "look at what \(failure.step.rawValue) needs: this is not a wall that hosts usually lack"
    }

    /// What would give control groups.
    var cgroupRemedy: String {
        if !isRoot {
            return "run sandglass as root, or, where systemd has control groups of version 2, as a delegate of its: "
                + "systemd-run --user --scope -p Delegate=yes sandglass serve"
        }
        if container != nil {
            return "start this container with --cgroupns=host --volume=/sys/fs/cgroup:/sys/fs/cgroup:rw"
        }
        return
            "mount control groups for writing (mount -o remount,rw /sys/fs/cgroup); where the kernel leaves the memory "
            + "controller out, boot it with cgroup_enable=memory"
    }

    /// What would let the service go before commands.
    var priorityRemedy: String {
        if !isRoot { return "run sandglass as root" }
        return container == nil ? "let it have CAP_SYS_NICE" : "start this container with --cap-add=SYS_NICE"
    }

    /// What would give Landlock.
    var landlockRemedy: String {
        let kernel = "boot Linux 5.19 or later with CONFIG_SECURITY_LANDLOCK and landlock in its list of modules (lsm=)"
        guard container != nil, isFiltered else { return kernel }
        return "start this container with --security-opt=seccomp=unconfined, or " + kernel
    }
}
