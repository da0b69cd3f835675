import Foundation

/// Attempts that may fail outside too, and so prove nothing there.
///
/// All others have to succeed outside.
enum VacuousProbes {
    /// Why an attempt may be vacuous on this host; `nil`: it may not.
    static func reason(_ probe: Probe) -> String? {
        if needsResources.contains(probe.name), !rootMayRaiseLimits {
            return "root of this host lacks CAP_SYS_RESOURCE"
        }
        if maybeMissing.contains(probe.name), missing.contains(probe.answer) {
            return "this kernel was built without it"
        }
        return nil
    }

    private static let missing = [
        "No such file or directory", "Function not implemented", "Address family not supported by protocol",
        "Protocol not supported", "Socket type not supported", "Segmentation fault", "No such device",
        "Operation not supported",
    ]

    private static let maybeMissing: Set<String> = [
        "open /home", "open /boot", "open /etc/ssl/private", "open /var/lib/dpkg/status", "open /proc/kcore",
        "open /dev/mem", "open /proc/slabinfo", "open /proc/vmallocinfo", "open /proc/pagetypeinfo",
        "open /proc/timer_list", "open /proc/kpageflags", "see addresses in /proc/kallsyms", "open /sys/kernel/debug",
        "open modprobe to write", "open sysrq-trigger to write", "open sysrq to write",
        "open an interrupt's affinity to write", "open a file of /sys to write", "open a release agent to write",
        "open a file of a control group to write", "open a block device", "open /dev/fuse", "open /dev/net/tun",
        "open /dev/kvm", "open /dev/loop-control", "open /dev/vsock", "open /dev/kmsg", "open /dev/kmsg to write",
        "have su run as root", "unshare a time namespace", "clone3 a time namespace", "join a time namespace",
        "make an io_uring", "make a bpf map", "count perf events", "handle page faults", "add a key",
        "find a keyring", "find a key", "watch everything", "make secret memory", "see the local descriptor table",
        "reach ports", "call as an i386 program", "call as an x32 program", "compare another with oneself",
        "list another's mapped files", "read another's kernel stack", "move another's memory",
        "make a packet socket", "make a packet socket for datagrams", "make a raw socket of version 6",
        "make a netlink socket for socket diagnostics", "make a netlink socket for security associations",
        "make a netlink socket for auditing", "make a netlink socket for packet filters", "make a vsock socket",
        "make a socket of the kernel's ciphers", "make a socket of the kernel's keys",
        "make a connection multiplexor", "make an RDS socket", "make a TIPC socket", "make an XDP socket",
        "make a bluetooth socket", "make a CAN socket", "make an SCTP socket", "make an MPTCP socket",
    ]

    private static let needsResources: Set<String> = [
        "raise the limit of core files", "raise the limit of processor time", "raise the limit of a file's size",
        "raise the limit of processes", "raise the limit of descriptors", "raise the limit of locked memory",
        "raise the limit of queued signals", "raise the limit of message queues", "raise the limit of niceness",
        "raise the limit of realtime priority", "lower one's oom_score_adj", "open max_user_namespaces to write",
    ]

    private static let rootMayRaiseLimits: Bool = {
        let status = String(decoding: ProcessTable.contents("/proc/self/status") ?? [], as: UTF8.self)
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        return (line?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0) & 1 << 24 != 0
    }()
}
