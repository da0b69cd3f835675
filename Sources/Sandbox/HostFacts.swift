internal import CLinux
internal import Glibc

/// What can be read about this host and this process's place in it, before anything is built.
public struct HostFacts: Sendable, Hashable {
    /// The kernel's release, such as `6.1.0-13-amd64`.
    public var kernel = ""
    /// Whether this process is root, in its user namespace at least.
    public var isRoot = false
    /// What runs the container that this process is in, such as `podman`; `nil` outside of one.
    public var container: String?
    /// The capabilities of this process, one bit each (capabilities(7)).
    public var capabilities: UInt64 = 0
    /// Whether somebody has put a filter of system calls on this process.
    public var isFiltered = false
    /// The AppArmor profile that confines this process, if one does.
    public var appArmorProfile: String?
    /// Whether parts of /proc are covered: then who is root in a user namespace alone may mount none (user_namespaces(7)).
    public var procIsMasked = false
    /// Whether this process is in a user namespace of somebody's making, as in a container of an ordinary user.
    public var isInUserNamespace = false
    /// The ABI of Landlock; 0: there is none.
    public var landlockABI = 0
    /// Whether this process may have a better priority.
    public var mayRaisePriority = false
    /// The sysctl settings that keep ordinary users from making user namespaces, as they should be.
    public var obstacles: [String] = []

    /// Of a host of which nothing is known.
    public init() {}

    /// This host's.
    public static func current() -> HostFacts {
        var facts = HostFacts()
        facts.kernel = text("/proc/sys/kernel/osrelease")
        facts.isRoot = geteuid() == 0
        facts.container = container()
        facts.readStatus(text("/proc/self/status"))
        let profile = text("/proc/self/attr/current")
        facts.appArmorProfile = profile.isEmpty || profile.hasPrefix("unconfined") ? nil : profile
        facts.procIsMasked = text("/proc/self/mountinfo").split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 4 && fields[4].hasPrefix("/proc/")
        }
        facts.isInUserNamespace = !hasAllUsers(text("/proc/self/uid_map"))
        facts.landlockABI = max(Int(sandglass_landlock_abi()), 0)
        facts.mayRaisePriority = tryPriority()
        facts.obstacles = settings.filter { $0.bad == text($0.path) }.map(\.remedy)
        return facts
    }

    /// Reads `/proc/self/status` (proc_pid_status(5)).
    mutating func readStatus(_ text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: "\t", maxSplits: 1)
            switch fields.first {
            case "CapEff:": capabilities = fields.last.flatMap { UInt64($0, radix: 16) } ?? 0
            case "Seccomp:": isFiltered = fields.last != "0"
            default: break
            }
        }
    }

    /// Whether a `uid_map` (user_namespaces(7)) is that of the first user namespace.
    static func hasAllUsers(_ map: String) -> Bool { map.split(separator: " ") == ["0", "0", "4294967295"] }

    private static let settings: [(path: String, bad: String, remedy: String)] = [
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

    private static func container() -> String? {
        if access("/run/.containerenv", F_OK) == 0 { return "podman" }
        if access("/.dockerenv", F_OK) == 0 { return "docker" }
        // systemd's CONTAINER_INTERFACE page.
        guard let name = getenv("container"), name.pointee != 0 else { return nil }
        return String(cString: name)
    }

    /// In earnest, and back: this thread alone is asked for (setpriority(2)), and a worse one is never refused.
    private static func tryPriority() -> Bool {
        let thread = __priority_which_t(PRIO_PROCESS.rawValue)
        let nice = getpriority(thread, 0)
        guard setpriority(thread, 0, nice - 1) == 0 else { return false }
        setpriority(thread, 0, nice)
        return true
    }
}
