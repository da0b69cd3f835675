internal import Glibc

/// A part of `/proc` that tells of the host and that no program of a run needs.
///
/// Files look empty, and so do folders. Each mask is a mount of every run and costs it some ten microseconds, so only that is
/// masked which the command's user could read: most of what is dangerous in `/proc` is root's alone, and is named here for the
/// kernels on which it is not.
struct ProcMask: Sendable, Hashable {
    /// Where it stands.
    let path: String
    /// Whether it is a folder.
    let isFolder: Bool

    /// The kernel's command line, memory, symbols, timers and modules; what its devices do, which tells of keystrokes and of
    /// other runs; and names of the host's disks and swap files.
    private static let files = [
        "cmdline", "interrupts", "kallsyms", "kcore", "kmsg", "latency_stats", "modules", "sched_debug", "swaps",
        "sysrq-trigger", "timer_list", "timer_stats",
    ]
    /// A user namespace shows the keys of its own users alone: there is something in them only where commands share the
    /// service's user.
    private static let filesOfUser = ["key-users", "keys"]
    private static let folders = ["acpi", "asound", "bus", "driver", "fs", "scsi"]

    /// The masks that this host needs.
    static func ofThisHost() -> [ProcMask] {
        (geteuid() == 0 ? files : files + filesOfUser).map { ProcMask(path: "/proc/" + $0, isFolder: false) }.filter(
            { isReadableByOthers($0) && saysSomething($0) }
        )
            + folders.map { ProcMask(path: "/proc/" + $0, isFolder: true) }.filter {
                isReadableByOthers($0) && hasNames($0)
            }
    }

    private static func hasNames(_ folder: ProcMask) -> Bool {
        HostFile.names(in: folder.path).contains { $0 != "." && $0 != ".." }
    }

    /// Where there is no swap, there is a heading alone.
    private static func saysSomething(_ file: ProcMask) -> Bool {
        guard file.path == "/proc/swaps" else { return true }
        return HostFile.contents(of: file.path, atMost: 1 << 16)?.contains(UInt8(ascii: "/")) ?? true
    }

    private static func isReadableByOthers(_ mask: ProcMask) -> Bool {
        var status = stat()
        // A service of an ordinary user may be in root's group.
        return lstat(mask.path, &status) == 0 && status.st_mode & (S_IRGRP | S_IROTH) != 0
    }
}
