internal import Glibc

extension SystemCallPolicy {
    /// Calls that are allowed with these arguments alone.
    static let allowedWith = socketKinds + personalities

    /// Calls that are refused with these arguments, although they stand in ``allowed`` or ``allowedWith``.
    static let refusedWith = namespaces + socketFamilies + terminals + devices + hugePages + supervisor + listeners

    // MARK: Allowed

    private static let socketFamilyNumbers = [AF_UNIX, AF_INET, AF_INET6].map(UInt32.init)

    /// In the families that are not refused, the protocols that are everywhere.
    ///
    /// Asking for another one (SCTP, MPTCP, L2TP) has the kernel load a module. 1 is also AF_UNIX's own.
    private static let socketKinds = ["socket", "socketpair"].flatMap { call in
        [0, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6].map { `protocol` in
            ArgumentRule(call, .equals(argument: 2, UInt32(`protocol`)), answer: .allow)
        }
    }

    /// The question which one it is, the usual one, and the usual one at fixed addresses (`setarch -R`).
    private static let personalities = [UInt32.max, 0, 0x0004_0000].map { persona in
        ArgumentRule("personality", .equals(argument: 0, persona), answer: .allow)
    }

    // MARK: Refused

    /// clone(2) into new namespaces.
    ///
    /// CLONE_NEWTIME is not among them: its bit is part of the exit signal there.
    private static let namespaces = [
        0x0002_0000,  // CLONE_NEWNS
        0x0200_0000,  // CLONE_NEWCGROUP
        0x0400_0000,  // CLONE_NEWUTS
        0x0800_0000,  // CLONE_NEWIPC
        0x1000_0000,  // CLONE_NEWUSER
        0x2000_0000,  // CLONE_NEWPID
        0x4000_0000,  // CLONE_NEWNET
    ].map { (flag: UInt32) in
        ArgumentRule("clone", .bits(argument: 0, mask: flag, flag), answer: .refuse(EPERM))
    }

    /// Netlink, packet, vsock, alg and all others.
    private static let socketFamilies = ["socket", "socketpair"].flatMap { call in
        let known = Set(socketFamilyNumbers)
        let last = known.max() ?? 0
        let between = (0..<last).filter { !known.contains($0) }.map { family in
            ArgumentRule(call, .equals(argument: 0, family), answer: .refuse(EAFNOSUPPORT))
        }
        return between + [ArgumentRule(call, .exceeds(argument: 0, UInt64(last)), answer: .refuse(EAFNOSUPPORT))]
    }

    /// Typing into a terminal (ioctl_tty(2)): TIOCSTI and TIOCLINUX.
    private static let terminals = [UInt32(0x5412), 0x541C].map { request in
        ArgumentRule("ioctl", .equals(argument: 1, request), answer: .refuse(EPERM))
    }

    /// Device nodes.
    ///
    /// An ordinary user may make one, the whiteout of overlay file systems.
    private static let devices = [("mknod", UInt32(1)), ("mknodat", 2)].flatMap { call, mode in
        [S_IFCHR, S_IFBLK].map { type in
            ArgumentRule(call, .bits(argument: mode, mask: UInt32(S_IFMT), UInt32(type)), answer: .refuse(EPERM))
        }
    }

    /// Memory from the host's pool of huge pages, which no memory limit counts: as if the pool were empty.
    private static let hugePages = [
        // MAP_HUGETLB
        ArgumentRule("mmap", .bits(argument: 3, mask: 0x40000, 0x40000), answer: .refuse(ENOMEM)),
        // MFD_HUGETLB
        ArgumentRule("memfd_create", .bits(argument: 1, mask: 0x4, 0x4), answer: .refuse(EINVAL)),
        // SHM_HUGETLB
        ArgumentRule("shmget", .bits(argument: 2, mask: 0o4000, 0o4000), answer: .refuse(EPERM)),
    ]

    /// The slot, which is always pid 1 and has the command's user: nobody may slow it down or take its limits away.
    private static let supervisor =
        ["sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"].map { call in
            ArgumentRule(call, .equals(argument: 0, 1), answer: .refuse(EPERM))
        }
        + ["setpriority", "ioprio_set"].map { call in
            ArgumentRule(call, .equals(argument: 1, 1), answer: .refuse(EPERM))
        } + [
            // All processes of a user: PRIO_USER and IOPRIO_WHO_USER.
            ArgumentRule("setpriority", .equals(argument: 0, 2), answer: .refuse(EPERM)),
            ArgumentRule("ioprio_set", .equals(argument: 0, 3), answer: .refuse(EPERM)),
            // New limits are for the caller itself, which is 0; anybody may ask for anybody's.
            ArgumentRule(
                "prlimit64",
                .differs(argument: 0, 0),
                .differs(argument: 2, 0),
                answer: .refuse(EPERM)
            ),
        ]

    /// A filter that asks another process (SECCOMP_FILTER_FLAG_NEW_LISTENER): one more way to stand in for the kernel.
    private static let listeners = [
        ArgumentRule("seccomp", .bits(argument: 1, mask: 0x8, 0x8), answer: .refuse(EPERM))
    ]
}
