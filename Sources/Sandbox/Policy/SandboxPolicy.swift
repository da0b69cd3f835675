internal import Glibc

/// The view, the users and the protections of commands.
package struct SandboxPolicy: Sendable {
    /// The host users that commands run as.
    package enum HostUsers: Sendable, Hashable {
        /// Commands run as the user of the service, because an ordinary user may use no other.
        case serviceUser
        /// Each slot runs as its own uid and gid, from a range that nothing else on the host uses.
        case perSlot
    }

    /// The entries of the read-only file system, in the order in which they are created.
    package let entries: [SandboxEntry]
    /// The host users that commands run as.
    package let hostUsers: HostUsers
    /// The maximum number of slots at one time.
    package let slots: Int
    /// The size of `/box`, `/tmp` and `/dev/shm` together, in bytes, of slots that are prepared ahead of need.
    package let scratchBytes: Int
    /// The images that a slot may show instead of the host's view.
    package var images: [SandboxImage] = []
    /// A Boolean value that indicates whether a slot may use the host's network.
    package var allowsHostNetwork = false
    /// A Boolean value that indicates whether commands may install system call filters of their own.
    package var allowsFilters = false
    /// The protections to build where the kernel supports them.
    package var protections: SandboxProtections = [.systemCallFilter, .landlock]
    /// The protections without which the launcher does not start.
    ///
    /// Landlock is optional because the mounts deny the same accesses. No other protection can replace the system call
    /// filter.
    package var requiredProtections: SandboxProtections = .systemCallFilter
    /// The parts of `/proc` that are hidden from a run.
    var masks = ProcMask.ofThisHost()
    /// A Boolean value that indicates whether `/proc` stays writable, as the kernel mounts it.
    ///
    /// A probe of the protections behind the mount needs that.
    var procIsWritable = false

    /// The uid and gid that a command sees.
    static let user: UInt32 = 1000
    /// The host name inside the sandbox, which reveals nothing about the host.
    static let hostName = "sandglass"
    /// The maximum number of files and directories in the writable directories together.
    static let scratchInodes = 131_072
    /// The maximum number of slots of one launcher.
    package static let maximumSlots = 8192

    /// Returns a policy with the view of this host: read-only system directories such as `/usr`, the few files of
    /// `/etc` that programs need, and nothing else.
    ///
    /// - Parameters:
    ///   - slots: the maximum number of slots at one time, 1 to 8192.
    ///   - scratchBytes: the size in bytes of the writable directories of a slot that is prepared ahead of need.
    ///   - configuration: additions to the view.
    /// - Returns: a policy with that view.
    package static func host(
        slots: Int,
        scratchBytes: Int,
        configuration: SandboxConfiguration = SandboxConfiguration()
    ) -> SandboxPolicy {
        let isRoot = geteuid() == 0
        let slots = min(max(slots, 1), isRoot ? HostUserRange.Grid.ofThisProcess.blockSize : maximumSlots)
        return SandboxPolicy(
            entries: HostView.entries(user: user, hostName: hostName, configuration: configuration),
            hostUsers: isRoot ? .perSlot : .serviceUser,
            slots: slots,
            scratchBytes: scratchBytes,
            images: configuration.images,
            allowsHostNetwork: configuration.allowsHostNetwork,
            allowsFilters: configuration.allowsFilters
        )
    }

    /// Returns a policy for probing this host.
    ///
    /// It requires no protection, because a missing one is a finding and others can still be probed. It leaves `/proc`
    /// writable, so that Landlock can be probed.
    ///
    /// - Parameter scratchBytes: the size in bytes of the writable directories of a slot.
    /// - Returns: a policy with the host's view and one slot.
    package static func hostProbe(scratchBytes: Int) -> SandboxPolicy {
        var policy = host(slots: 1, scratchBytes: scratchBytes)
        policy.requiredProtections = []
        policy.procIsWritable = true
        return policy
    }
}

/// The operator's additions to the built-in view.
package struct SandboxConfiguration: Sendable {
    /// Further directories of the host in the built-in view.
    package var exposed: [ExposedPath] = []
    /// Root file systems that a run may choose instead.
    package var images: [SandboxImage] = []
    /// A Boolean value that indicates whether a run may use the host's network.
    package var allowsHostNetwork = false
    /// A Boolean value that indicates whether commands may install system call filters of their own (seccomp(2)).
    package var allowsFilters = false

    /// Creates a configuration without additions.
    package init() {}
}

/// Protections of a sandbox that a kernel may lack.
package struct SandboxProtections: OptionSet, Sendable, Hashable {
    /// The sum of the protections' numbers in the launcher's protocol.
    package let rawValue: UInt32

    /// Creates a set from the sum of its numbers.
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The system call filter (seccomp(2)).
    package static let systemCallFilter = SandboxProtections(rawValue: 1)
    /// Landlock (landlock(7)), which protects the file system beside the mounts, signals and abstract unix sockets.
    package static let landlock = SandboxProtections(rawValue: 2)
}

/// One entry of the file system that commands see.
///
/// Its parent directory precedes it in the list of entries.
package enum SandboxEntry: Sendable, Hashable {
    /// An empty directory, which no process may write to unless something is mounted on it.
    case directory(String)
    /// A directory of the host with everything below it, read-only.
    case bind(host: String, at: String)
    /// A file of the host, read-only.
    case bindFile(host: String, at: String)
    /// A directory for device nodes.
    case deviceDirectory(String)
    /// A device node of the host, in a directory for device nodes.
    case device(String)
    /// A file with the given contents, readable by every user and optionally executable.
    case file(String, contents: [UInt8], isExecutable: Bool = false)
    /// A symbolic link and its target.
    case symbolicLink(String, to: String)

    /// A Boolean value that indicates whether the entry is a mount of a host's file or directory.
    var isMount: Bool {
        switch self {
        case .bind, .bindFile: true
        case .directory, .deviceDirectory, .device, .file, .symbolicLink: false
        }
    }

    /// The path inside the sandbox.
    package var path: String {
        switch self {
        case .directory(let path), .deviceDirectory(let path), .device(let path), .file(let path, _, _),
            .symbolicLink(let path, _):
            path
        case .bind(_, let path), .bindFile(_, let path): path
        }
    }
}

/// A part of `/proc` that reveals facts about the host and that no program of a run needs.
///
/// A masked file or directory looks empty. Each mask is a mount of every run and costs it some ten microseconds, so
/// only parts that the command's user could read are masked. Most dangerous parts of `/proc` are readable by root only.
/// They are listed here for kernels on which others may read them too.
struct ProcMask: Sendable, Hashable {
    /// The path of the file or directory.
    let path: String
    let isDirectory: Bool

    /// The kernel's command line, configuration, memory, symbols, timers and modules.
    ///
    /// The list also has the activity of devices, which reveals keystrokes and other runs, and the names and counters of
    /// the host's disks and swap files.
    private static let files = [
        "cmdline", "config.gz", "diskstats", "interrupts", "kallsyms", "kcore", "kmsg", "latency_stats", "modules",
        "partitions", "sched_debug", "softirqs", "swaps", "sysrq-trigger", "timer_list", "timer_stats",
    ]
    /// The key lists, which show only the keys of the reader's own user.
    ///
    /// They are masked where commands share the user of the service.
    private static let userFiles = ["key-users", "keys"]
    private static let directories = ["acpi", "asound", "bus", "driver", "fs", "irq", "scsi"]

    /// Returns the masks that this host needs.
    static func ofThisHost() -> [ProcMask] {
        let fileMasks = (geteuid() == 0 ? files : files + userFiles)
            .map { ProcMask(path: "/proc/" + $0, isDirectory: false) }
            .filter { isReadableByOthers($0) && hasContent($0) }
        let directoryMasks = directories.map { ProcMask(path: "/proc/" + $0, isDirectory: true) }
            .filter { isReadableByOthers($0) && hasEntries($0) }
        return fileMasks + directoryMasks
    }

    private static func hasEntries(_ directory: ProcMask) -> Bool {
        !HostFile.names(in: directory.path).isEmpty
    }

    /// Returns whether a file reveals something: on a host without swap, `/proc/swaps` has only its heading.
    private static func hasContent(_ file: ProcMask) -> Bool {
        guard file.path == "/proc/swaps" else { return true }
        return HostFile.contents(of: file.path, atMost: 1 << 16)?.contains(UInt8(ascii: "/")) ?? true
    }

    private static func isReadableByOthers(_ mask: ProcMask) -> Bool {
        var status = stat()
        // The service of an ordinary user may be in root's group.
        return lstat(mask.path, &status) == 0 && status.st_mode & (S_IRGRP | S_IROTH) != 0
    }
}
