internal import Glibc

/// The action for a system call whose arguments pass some tests.
struct ArgumentRule: Sendable, Hashable {
    /// The name of the system call.
    let call: String
    /// The tests, all of which must be true; each is about a different argument.
    let tests: [ArgumentTest]
    /// The action when all tests are true.
    let action: SystemCallAction

    init(_ call: String, _ tests: ArgumentTest..., action: SystemCallAction) {
        self.init(call, tests, action: action)
    }

    init(_ call: String, _ tests: [ArgumentTest], action: SystemCallAction) {
        self.call = call
        self.tests = tests
        self.action = action
    }
}

/// A test of one argument of a system call.
///
/// A filter sees each argument as the 64 bits of a register. The kernel takes an `int` from the lower half, and the
/// caller chooses the upper half. So a test of such an argument must compare the lower half only. In any other test,
/// garbage in the upper half may only cause more refusals.
enum ArgumentTest: Sendable, Hashable {
    /// The lower 32 bits equal a value.
    case equals(argument: UInt32, UInt32)
    /// The bits in the mask equal a value.
    case bits(argument: UInt32, mask: UInt32, UInt32)
    /// All 64 bits equal a value.
    case isExactly(argument: UInt32, UInt64)
    /// All 64 bits differ from a value. Only for pointers, and for rules that refuse.
    case differs(argument: UInt32, UInt64)
    /// All 64 bits, taken as unsigned, exceed a value. Only for rules that refuse.
    case exceeds(argument: UInt32, UInt64)
}

extension SystemCallPolicy {
    /// Calls that are allowed only with these arguments.
    static let allowedWith = socketProtocols + personalities

    /// Calls that are refused with these arguments, although ``allowed`` or ``allowedWith`` has them.
    static let refusedWith = refusedWith(allowsFilters: false)

    /// Returns the same for commands that may install filters of their own.
    static func refusedWith(allowsFilters: Bool) -> [ArgumentRule] {
        namespaces + socketFamilies + socketTypes + socketOptions + terminals + devices + hugePages + supervisor
            + (allowsFilters ? listeners : filters)
    }

    // MARK: Allowed

    private static let socketFamilyNumbers = [AF_UNIX, AF_INET, AF_INET6].map(UInt32.init)

    /// The protocols that every kernel has, for the families that are not refused.
    ///
    /// A request for another protocol (SCTP, MPTCP, L2TP) makes the kernel load a module. Protocol 1 is also AF_UNIX's
    /// own.
    private static let socketProtocols = ["socket", "socketpair"].flatMap { call in
        socketProtocolNumbers.map { ArgumentRule(call, .equals(argument: 2, $0), action: .allow) }
    }
    private static let socketProtocolNumbers =
        [0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6].map { UInt32($0) }

    /// The query of the current personality, the default one, and the default one at fixed addresses (`setarch -R`).
    private static let personalities = [UInt32.max, 0, 0x0004_0000].map { persona in
        ArgumentRule("personality", .equals(argument: 0, persona), action: .allow)
    }

    // MARK: Users and groups

    /// The calls that name users or groups, with the arguments with which the kernel executes them.
    ///
    /// A run's user namespace has one user and one group. The kernel answers EINVAL for all others, where an ordinary user
    /// of a host gets EPERM. Programs such as fakeroot and tar expect EPERM, so the filter refuses them with it. The launcher
    /// itself changes its users with setresuid(2) and setresgid(2), which therefore keep the kernel's EINVAL.
    static let ownIdentity = identityArguments.flatMap { call, arguments in rules(call, arguments) }

    /// The calls that name users or groups, and the arguments that do.
    private static let identityArguments: [(call: String, arguments: Range<UInt32>)] = [
        ("chown", 1..<3), ("fchown", 1..<3), ("lchown", 1..<3), ("fchownat", 2..<4),
        ("setuid", 0..<1), ("setgid", 0..<1), ("setreuid", 0..<2), ("setregid", 0..<2),
    ]

    /// Returns the rules that allow a call if each of its arguments is the run's own user or group or "no change" (-1).
    private static func rules(_ call: String, _ arguments: Range<UInt32>) -> [ArgumentRule] {
        var combinations: [[ArgumentTest]] = [[]]
        for argument in arguments {
            combinations = combinations.flatMap { tests in
                [SandboxPolicy.user, UInt32.max].map { tests + [ArgumentTest.equals(argument: argument, $0)] }
            }
        }
        return combinations.map { ArgumentRule(call, $0, action: .allow) }
    }

    // MARK: Refused

    /// clone(2) into new namespaces.
    ///
    /// CLONE_NEWTIME is not in the list: in clone(2) its bit is part of the exit signal.
    private static let namespaces = [
        0x0002_0000,  // CLONE_NEWNS
        0x0200_0000,  // CLONE_NEWCGROUP
        0x0400_0000,  // CLONE_NEWUTS
        0x0800_0000,  // CLONE_NEWIPC
        0x1000_0000,  // CLONE_NEWUSER
        0x2000_0000,  // CLONE_NEWPID
        0x4000_0000,  // CLONE_NEWNET
    ].map { (flag: UInt32) in
        ArgumentRule("clone", .bits(argument: 0, mask: flag, flag), action: .refuse(EPERM))
    }

    /// Sockets of all other families, such as packet, vsock and alg, and netlink sockets that are not NETLINK_ROUTE (0).
    ///
    /// Programs list interfaces and addresses with NETLINK_ROUTE. A run has no capability, so it can change nothing there.
    private static let socketFamilies: [ArgumentRule] = {
        let netlink = UInt32(AF_NETLINK)
        var rules: [ArgumentRule] = []
        for (call, allowed) in [("socket", socketFamilyNumbers + [netlink]), ("socketpair", socketFamilyNumbers)] {
            let last = allowed.max() ?? 0
            for family in 0..<last where !allowed.contains(family) {
                rules.append(ArgumentRule(call, .equals(argument: 0, family), action: .refuse(EAFNOSUPPORT)))
            }
            rules.append(ArgumentRule(call, .exceeds(argument: 0, UInt64(last)), action: .refuse(EAFNOSUPPORT)))
        }
        // Other protocols are in no list.
        for `protocol` in socketProtocolNumbers where `protocol` != 0 {
            rules.append(
                ArgumentRule(
                    "socket",
                    .equals(argument: 0, netlink),
                    .equals(argument: 2, `protocol`),
                    action: .refuse(EPROTONOSUPPORT)
                )
            )
        }
        return rules
    }()

    /// Sockets of all types but stream (1), datagram (2), raw (3) and sequenced packets (5).
    ///
    /// The kernel would load a module for some others, such as SOCK_DCCP. It refuses raw sockets itself, except those to
    /// netlink that getifaddrs(3) uses.
    private static let socketTypes = ["socket", "socketpair"].flatMap { call in
        (UInt32(0)..<16).filter { ![1, 2, 3, 5].contains($0) }.map { type in
            // SOCK_TYPE_MASK; the bits above are SOCK_CLOEXEC and SOCK_NONBLOCK.
            ArgumentRule(call, .bits(argument: 1, mask: 0xF, type), action: .refuse(ESOCKTNOSUPPORT))
        }
    }

    /// Options that load a program into the kernel, whose memory no limit counts, and IPv6 flow labels, which outlive
    /// their sockets (setsockopt(2)).
    private static let socketOptions = [
        (SOL_SOCKET, 26),  // SO_ATTACH_FILTER
        (SOL_SOCKET, 44),  // SO_LOCK_FILTER
        (SOL_SOCKET, 50),  // SO_ATTACH_BPF
        (SOL_SOCKET, 51),  // SO_ATTACH_REUSEPORT_CBPF
        (SOL_SOCKET, 52),  // SO_ATTACH_REUSEPORT_EBPF
        (41, 32),  // IPPROTO_IPV6, IPV6_FLOWLABEL_MGR
    ].map { level, option in
        ArgumentRule(
            "setsockopt",
            .equals(argument: 1, UInt32(level)),
            .equals(argument: 2, UInt32(option)),
            action: .refuse(EPERM)
        )
    }

    /// Requests that insert input into a terminal: TIOCSTI and TIOCLINUX (ioctl_tty(2)).
    private static let terminals = [UInt32(0x5412), 0x541C].map { request in
        ArgumentRule("ioctl", .equals(argument: 1, request), action: .refuse(EPERM))
    }

    /// Device nodes.
    ///
    /// An ordinary user may create one kind, the whiteout of overlay file systems.
    private static let devices = [("mknod", UInt32(1)), ("mknodat", 2)].flatMap { call, mode in
        [S_IFCHR, S_IFBLK].map { type in
            ArgumentRule(call, .bits(argument: mode, mask: UInt32(S_IFMT), UInt32(type)), action: .refuse(EPERM))
        }
    }

    /// Memory from the host's pool of huge pages, which no memory limit counts.
    ///
    /// The calls fail as with an empty pool.
    private static let hugePages = [
        // MAP_HUGETLB
        ArgumentRule("mmap", .bits(argument: 3, mask: 0x40000, 0x40000), action: .refuse(ENOMEM)),
        // MFD_HUGETLB
        ArgumentRule("memfd_create", .bits(argument: 1, mask: 0x4, 0x4), action: .refuse(EINVAL)),
        // SHM_HUGETLB
        ArgumentRule("shmget", .bits(argument: 2, mask: 0o4000, 0o4000), action: .refuse(EPERM)),
    ]

    /// Calls that change the slot, which is always pid 1 and runs as the command's user.
    ///
    /// A command may neither slow the slot down nor change its limits.
    private static let supervisor =
        ["sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"].map { call in
            ArgumentRule(call, .equals(argument: 0, 1), action: .refuse(EPERM))
        }
        + ["setpriority", "ioprio_set"].map { call in
            ArgumentRule(call, .equals(argument: 1, 1), action: .refuse(EPERM))
        } + [
            // PRIO_USER and IOPRIO_WHO_USER affect all processes of a user.
            ArgumentRule("setpriority", .equals(argument: 0, 2), action: .refuse(EPERM)),
            ArgumentRule("ioprio_set", .equals(argument: 0, 3), action: .refuse(EPERM)),
            // A process may set only its own limits (pid 0), but it may read those of all processes.
            ArgumentRule(
                "prlimit64",
                .differs(argument: 0, 0),
                .differs(argument: 2, 0),
                action: .refuse(EPERM)
            ),
        ]

    /// Filters of the command's own, and strict mode (seccomp(2), PR_SET_SECCOMP(2const)).
    ///
    /// The kernel keeps their compiled programs in memory that no limit counts and that all of the host shares (sysctl
    /// net.core.bpf_jit_limit). When a run has filled it, no sandbox of anybody starts. The calls fail as on a kernel
    /// without filters, for which programs have fallbacks.
    private static let filters = [
        ArgumentRule("seccomp", action: .refuse(ENOSYS)),
        // PR_SET_SECCOMP
        ArgumentRule("prctl", .equals(argument: 0, 22), action: .refuse(EINVAL)),
    ]

    /// Filters that delegate calls to another process, which would emulate the kernel
    /// (SECCOMP_FILTER_FLAG_NEW_LISTENER).
    private static let listeners = [
        ArgumentRule("seccomp", .bits(argument: 1, mask: 0x8, 0x8), action: .refuse(EPERM))
    ]
}
