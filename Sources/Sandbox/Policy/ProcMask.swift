internal import Glibc

/// A part of `/proc` that reveals facts about the host and that no program of a run needs.
///
/// A masked file or directory looks empty. Each mask is a mount of every run and costs it some ten microseconds, so
/// only parts that the command's user could read are masked. Most dangerous parts of `/proc` are readable by root only.
/// They are listed here for kernels on which others may read them too.
struct ProcMask: Sendable, Hashable {
    /// The path of the file or directory.
    let path: String
    let isDirectory: Bool

    /// The kernel's command line, memory, symbols, timers and modules.
    ///
    /// The list also has the activity of devices, which reveals keystrokes and other runs, and the names of the host's
    /// disks and swap files.
    private static let files = [
        "cmdline", "interrupts", "kallsyms", "kcore", "kmsg", "latency_stats", "modules", "sched_debug", "swaps",
        "sysrq-trigger", "timer_list", "timer_stats",
    ]
    /// The key lists, which show only the keys of the reader's own user.
    ///
    /// They are masked where commands share the user of the service.
    private static let userFiles = ["key-users", "keys"]
    private static let directories = ["acpi", "asound", "bus", "driver", "fs", "scsi"]

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
