import Glibc
import Testing

@testable import Sandbox

/// A system call with arguments, and the action that the policy has for it.
struct ArgumentCase: CustomTestStringConvertible {
    let call: String
    let arguments: [UInt64]
    let action: SystemCallAction

    init(_ call: String, _ arguments: UInt64..., action: SystemCallAction) {
        self.init(call, arguments, action: action)
    }

    init(_ call: String, _ arguments: [UInt64], action: SystemCallAction) {
        self.call = call
        self.arguments = arguments
        self.action = action
    }

    var testDescription: String { "\(call)\(arguments.map { String($0, radix: 16) })" }

    /// Bits that a caller may set above an `int`, which the kernel ignores.
    private static let garbage: UInt64 = 0xDEAD_BEEF_0000_0000
    /// A value that is neither an address nor a descriptor.
    private static let none = UInt64.max

    static let all = sockets + terminals + processes + supervisor + memory + files + identity

    private static let sockets: [ArgumentCase] =
        [(1, 0), (2, 0), (2, 6), (2, 17), (10, 0), (10, 17)].map { family, `protocol` in
            ArgumentCase("socket", family, 1, `protocol`, action: .allow)
        }
        + ([0, 3, 4, 5, 6, 7, 8, 9, 11, 15, 17, 38, 40, 44, 45, 255, 0x8000_0001, 0xFFFF_FFFF] as [UInt64])
        .flatMap { family in
            [
                ArgumentCase("socket", family, 2, 0, action: .refuse(EAFNOSUPPORT)),
                ArgumentCase("socket", family | garbage, 2, 0, action: .refuse(EAFNOSUPPORT)),
                ArgumentCase("socketpair", family, 2, 0, none, action: .refuse(EAFNOSUPPORT)),
            ]
        }
        + [
            ArgumentCase("socketpair", 1, 1, 0, none, action: .allow),
            ArgumentCase("socket", 16, 3, 0, action: .allow),
            ArgumentCase("socket", 16, 2, garbage, action: .allow),
            ArgumentCase("socket", 16, 3, 1, action: .refuse(EPROTONOSUPPORT)),
            ArgumentCase("socket", 16, 3, 6, action: .refuse(EPROTONOSUPPORT)),
            ArgumentCase("socket", 16, 3, 17, action: .refuse(EPROTONOSUPPORT)),
            ArgumentCase("socket", 16, 3, 4, action: .refuse(ENOSYS)),
            ArgumentCase("socket", 16, 3, 16, action: .refuse(ENOSYS)),
            ArgumentCase("socketpair", 16, 3, 0, none, action: .refuse(EAFNOSUPPORT)),
            ArgumentCase("setsockopt", none, 1, 2, none, 4, action: .allow),
            ArgumentCase("setsockopt", none, 6, 26, none, 4, action: .allow),
            ArgumentCase("setsockopt", none, 1, 26, none, 16, action: .refuse(EPERM)),
            ArgumentCase("setsockopt", none, 1 | garbage, 26 | garbage, none, 16, action: .refuse(EPERM)),
            ArgumentCase("setsockopt", none, 1, 44, none, 4, action: .refuse(EPERM)),
            ArgumentCase("setsockopt", none, 1, 50, none, 4, action: .refuse(EPERM)),
            ArgumentCase("setsockopt", none, 1, 51, none, 16, action: .refuse(EPERM)),
            ArgumentCase("setsockopt", none, 1, 52, none, 4, action: .refuse(EPERM)),
            ArgumentCase("setsockopt", none, 41, 32, none, 32, action: .refuse(EPERM)),
            // SCTP, MPTCP, DCCP, L2TP
            ArgumentCase("socket", 2, 1, 132, action: .refuse(ENOSYS)),
            ArgumentCase("socket", 10, 1, 262, action: .refuse(ENOSYS)),
            ArgumentCase("socket", 2, 6, 33, action: .refuse(ESOCKTNOSUPPORT)),
            // other types, with flags and garbage
            ArgumentCase("socket", 2, 6, 0, action: .refuse(ESOCKTNOSUPPORT)),
            ArgumentCase("socket", 10, 0x80006 | garbage, 0, action: .refuse(ESOCKTNOSUPPORT)),
            ArgumentCase("socket", 1, 4, 0, action: .refuse(ESOCKTNOSUPPORT)),
            ArgumentCase("socket", 2, 10, 0, action: .refuse(ESOCKTNOSUPPORT)),
            ArgumentCase("socket", 1, 0, 0, action: .refuse(ESOCKTNOSUPPORT)),
            ArgumentCase("socketpair", 1, 6, 0, none, action: .refuse(ESOCKTNOSUPPORT)),
            ArgumentCase("socketpair", 1, 5, 0, none, action: .allow),
            ArgumentCase("socket", 1, 0x80805, 0, action: .allow),
            ArgumentCase("socket", 2, 2, 115 | garbage, action: .refuse(ENOSYS)),
        ]

    private static let terminals = [
        ArgumentCase("ioctl", none, 0x5412, 0, action: .refuse(EPERM)),
        ArgumentCase("ioctl", none, 0x5412 | garbage, 0, action: .refuse(EPERM)),
        ArgumentCase("ioctl", none, 0x541C, 0, action: .refuse(EPERM)),
        ArgumentCase("ioctl", none, 0x541C | garbage, 0, action: .refuse(EPERM)),
        ArgumentCase("ioctl", none, 0x5401, 0, action: .allow),
        ArgumentCase("ioctl", none, 0x5413, 0, action: .allow),
    ]

    private static let processes =
        ([0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] as [UInt64])
        .flatMap { flag in
            [
                ArgumentCase("clone", flag | 17, 0, 0, 0, 0, action: .refuse(EPERM)),
                ArgumentCase("clone", flag | garbage, 0, 0, 0, 0, action: .refuse(EPERM)),
            ]
        }
        + [
            ArgumentCase("personality", 0xFFFF_FFFF, action: .allow),
            ArgumentCase("personality", 0, action: .allow),
            ArgumentCase("personality", 0x4_0000, action: .allow),
            ArgumentCase("personality", 8, action: .refuse(ENOSYS)),
            ArgumentCase("personality", 0x40_0000, action: .refuse(ENOSYS)),
            ArgumentCase("personality", 8 | garbage, action: .refuse(ENOSYS)),
            // SECCOMP_SET_MODE_STRICT, SECCOMP_SET_MODE_FILTER with and without flags, and a query
            ArgumentCase("seccomp", 0, 0, 0, action: .refuse(ENOSYS)),
            ArgumentCase("seccomp", 1, 0, 0, action: .refuse(ENOSYS)),
            ArgumentCase("seccomp", 1, 8, 0, action: .refuse(ENOSYS)),
            ArgumentCase("seccomp", 2, 0, 0, action: .refuse(ENOSYS)),
            ArgumentCase("seccomp", 1 | garbage, 0xFF | garbage, 0, action: .refuse(ENOSYS)),
            // PR_SET_SECCOMP
            ArgumentCase("prctl", 22, 1, 0, action: .refuse(EINVAL)),
            ArgumentCase("prctl", 22 | garbage, 2, 0, action: .refuse(EINVAL)),
            ArgumentCase("prctl", 21, 0, 0, action: .allow),
            ArgumentCase("prctl", 15, 0, 0, action: .allow),
        ]

    private static let supervisor =
        ["sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"].flatMap { call in
            [
                ArgumentCase(call, 1, none, none, action: .refuse(EPERM)),
                ArgumentCase(call, 1 | garbage, none, none, action: .refuse(EPERM)),
                ArgumentCase(call, 0, none, none, action: .allow),
            ]
        }
        + [
            ArgumentCase("setpriority", 0, 1, 19, action: .refuse(EPERM)),
            ArgumentCase("setpriority", garbage, 1 | garbage, 19, action: .refuse(EPERM)),
            ArgumentCase("setpriority", 2, 0, 19, action: .refuse(EPERM)),
            ArgumentCase("setpriority", 2 | garbage, 1000, 19, action: .refuse(EPERM)),
            ArgumentCase("setpriority", 0, 0, 19, action: .allow),
            ArgumentCase("setpriority", 1, 0, 19, action: .allow),
            ArgumentCase("ioprio_set", 1, 1, 0x6000, action: .refuse(EPERM)),
            ArgumentCase("ioprio_set", 3 | garbage, 0, 0x6000, action: .refuse(EPERM)),
            ArgumentCase("ioprio_set", 1, 0, 0x6000, action: .allow),
            ArgumentCase("prlimit64", 0, 7, none, 0, action: .allow),
            ArgumentCase("prlimit64", 0, 7, 0, none, action: .allow),
            ArgumentCase("prlimit64", 0xFFFF, 7, 0, none, action: .allow),
            ArgumentCase("prlimit64", 1, 7, none, 0, action: .refuse(EPERM)),
            ArgumentCase("prlimit64", 1 | garbage, 7, none, 0, action: .refuse(EPERM)),
            ArgumentCase("prlimit64", 0xFFFF, 7, 0x1_0000_0000, 0, action: .refuse(EPERM)),
        ]

    private static let memory = [
        ArgumentCase("mmap", 0, 4096, 3, 0x22, none, 0, action: .allow),
        ArgumentCase("mmap", 0, 4096, 3, 0x4_0022, none, 0, action: .refuse(ENOMEM)),
        ArgumentCase("mmap", 0, 4096, 3, 0x4_0022 | garbage, none, 0, action: .refuse(ENOMEM)),
        ArgumentCase("memfd_create", none, 1, action: .allow),
        ArgumentCase("memfd_create", none, 5 | garbage, action: .refuse(EINVAL)),
        ArgumentCase("shmget", 0, 4096, 0o1600, action: .allow),
        ArgumentCase("shmget", 0, 4096, 0o5600 | garbage, action: .refuse(EPERM)),
    ]

    private static let files = [
        ArgumentCase("mknodat", none, none, 0o010600, 0, action: .allow),
        ArgumentCase("mknodat", none, none, 0o100600, 0, action: .allow),
        ArgumentCase("mknodat", none, none, 0o020600, 0, action: .refuse(EPERM)),
        ArgumentCase("mknodat", none, none, 0o060600 | garbage, 0, action: .refuse(EPERM)),
    ]

    private static let unchanged: UInt64 = 0xFFFF_FFFF

    private static let identity: [ArgumentCase] = {
        var cases: [ArgumentCase] = []
        for (call, first) in [
            ("chown", 1), ("lchown", 1), ("fchown", 1), ("fchownat", 2), ("setreuid", 0), ("setregid", 0),
        ] {
            for (pair, action) in pairs {
                cases.append(ArgumentCase(call, [UInt64](repeating: none, count: first) + pair, action: action))
            }
        }
        for call in ["setuid", "setgid"] {
            cases.append(ArgumentCase(call, 1000 | garbage, action: .allow))
            cases.append(ArgumentCase(call, unchanged, action: .allow))
            cases.append(ArgumentCase(call, 0, action: .refuse(EPERM)))
            cases.append(ArgumentCase(call, 1001, action: .refuse(EPERM)))
        }
        return cases
    }()

    /// Pairs of users, or of a user and a group.
    private static let pairs: [([UInt64], SystemCallAction)] = [
        ([1000, 1000], .allow), ([1000 | garbage, unchanged], .allow), ([unchanged, unchanged | garbage], .allow),
        ([0, 0], .refuse(EPERM)), ([0, 1000], .refuse(EPERM)), ([1000, 0], .refuse(EPERM)),
        ([unchanged, 999], .refuse(EPERM)), ([0x8000_0000, unchanged], .refuse(EPERM)),
        ([1001, 1000], .refuse(EPERM)),
    ]
}
