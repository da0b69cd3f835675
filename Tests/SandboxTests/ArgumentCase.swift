import Glibc
import Testing

@testable import Sandbox

/// A call whose arguments decide, and what has to become of it.
struct ArgumentCase: CustomTestStringConvertible {
    let call: String
    let arguments: [UInt64]
    let answer: SystemCallAnswer

    init(_ call: String, _ arguments: UInt64..., answer: SystemCallAnswer) {
        self.call = call
        self.arguments = arguments
        self.answer = answer
    }

    var testDescription: String { "\(call)\(arguments.map { String($0, radix: 16) })" }

    /// What a caller may put above an `int`, for the kernel to ignore.
    private static let garbage: UInt64 = 0xDEAD_BEEF_0000_0000
    /// No address, no descriptor.
    private static let none = UInt64.max

    static let all = sockets + terminals + processes + supervisor + memory + files

    private static let sockets: [ArgumentCase] =
        [(1, 0), (2, 0), (2, 6), (2, 17), (10, 0), (10, 17)].map { family, `protocol` in
            ArgumentCase("socket", family, 1, `protocol`, answer: .allow)
        }
        + ([0, 3, 4, 5, 6, 7, 8, 9, 11, 15, 16, 17, 38, 40, 44, 45, 255, 0x8000_0001, 0xFFFF_FFFF] as [UInt64])
        .flatMap { family in
            [
                ArgumentCase("socket", family, 2, 0, answer: .refuse(EAFNOSUPPORT)),
                ArgumentCase("socket", family | garbage, 2, 0, answer: .refuse(EAFNOSUPPORT)),
                ArgumentCase("socketpair", family, 2, 0, none, answer: .refuse(EAFNOSUPPORT)),
            ]
        }
        + [
            ArgumentCase("socketpair", 1, 1, 0, none, answer: .allow),
            // SCTP, MPTCP, DCCP, L2TP
            ArgumentCase("socket", 2, 1, 132, answer: .refuse(ENOSYS)),
            ArgumentCase("socket", 10, 1, 262, answer: .refuse(ENOSYS)),
            ArgumentCase("socket", 2, 6, 33, answer: .refuse(ENOSYS)),
            ArgumentCase("socket", 2, 2, 115 | garbage, answer: .refuse(ENOSYS)),
        ]

    private static let terminals = [
        ArgumentCase("ioctl", none, 0x5412, 0, answer: .refuse(EPERM)),
        ArgumentCase("ioctl", none, 0x5412 | garbage, 0, answer: .refuse(EPERM)),
        ArgumentCase("ioctl", none, 0x541C, 0, answer: .refuse(EPERM)),
        ArgumentCase("ioctl", none, 0x541C | garbage, 0, answer: .refuse(EPERM)),
        ArgumentCase("ioctl", none, 0x5401, 0, answer: .allow),
        ArgumentCase("ioctl", none, 0x5413, 0, answer: .allow),
    ]

    private static let processes =
        ([0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] as [UInt64])
        .flatMap { flag in
            [
                ArgumentCase("clone", flag | 17, 0, 0, 0, 0, answer: .refuse(EPERM)),
                ArgumentCase("clone", flag | garbage, 0, 0, 0, 0, answer: .refuse(EPERM)),
            ]
        }
        + [
            ArgumentCase("personality", 0xFFFF_FFFF, answer: .allow),
            ArgumentCase("personality", 0, answer: .allow),
            ArgumentCase("personality", 0x4_0000, answer: .allow),
            ArgumentCase("personality", 8, answer: .refuse(ENOSYS)),
            ArgumentCase("personality", 0x40_0000, answer: .refuse(ENOSYS)),
            ArgumentCase("personality", 8 | garbage, answer: .refuse(ENOSYS)),
            ArgumentCase("seccomp", 1, 0, 0, answer: .allow),
            ArgumentCase("seccomp", 1, 8, 0, answer: .refuse(EPERM)),
            ArgumentCase("seccomp", 1, 0xFF | garbage, 0, answer: .refuse(EPERM)),
        ]

    private static let supervisor =
        ["sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler"].flatMap { call in
            [
                ArgumentCase(call, 1, none, none, answer: .refuse(EPERM)),
                ArgumentCase(call, 1 | garbage, none, none, answer: .refuse(EPERM)),
                ArgumentCase(call, 0, none, none, answer: .allow),
            ]
        }
        + [
            ArgumentCase("setpriority", 0, 1, 19, answer: .refuse(EPERM)),
            ArgumentCase("setpriority", garbage, 1 | garbage, 19, answer: .refuse(EPERM)),
            ArgumentCase("setpriority", 2, 0, 19, answer: .refuse(EPERM)),
            ArgumentCase("setpriority", 2 | garbage, 1000, 19, answer: .refuse(EPERM)),
            ArgumentCase("setpriority", 0, 0, 19, answer: .allow),
            ArgumentCase("setpriority", 1, 0, 19, answer: .allow),
            ArgumentCase("ioprio_set", 1, 1, 0x6000, answer: .refuse(EPERM)),
            ArgumentCase("ioprio_set", 3 | garbage, 0, 0x6000, answer: .refuse(EPERM)),
            ArgumentCase("ioprio_set", 1, 0, 0x6000, answer: .allow),
            ArgumentCase("prlimit64", 0, 7, none, 0, answer: .allow),
            ArgumentCase("prlimit64", 0, 7, 0, none, answer: .allow),
            ArgumentCase("prlimit64", 0xFFFF, 7, 0, none, answer: .allow),
            ArgumentCase("prlimit64", 1, 7, none, 0, answer: .refuse(EPERM)),
            ArgumentCase("prlimit64", 1 | garbage, 7, none, 0, answer: .refuse(EPERM)),
            ArgumentCase("prlimit64", 0xFFFF, 7, 0x1_0000_0000, 0, answer: .refuse(EPERM)),
        ]

    private static let memory = [
        ArgumentCase("mmap", 0, 4096, 3, 0x22, none, 0, answer: .allow),
        ArgumentCase("mmap", 0, 4096, 3, 0x4_0022, none, 0, answer: .refuse(ENOMEM)),
        ArgumentCase("mmap", 0, 4096, 3, 0x4_0022 | garbage, none, 0, answer: .refuse(ENOMEM)),
        ArgumentCase("memfd_create", none, 1, answer: .allow),
        ArgumentCase("memfd_create", none, 5 | garbage, answer: .refuse(EINVAL)),
        ArgumentCase("shmget", 0, 4096, 0o1600, answer: .allow),
        ArgumentCase("shmget", 0, 4096, 0o5600 | garbage, answer: .refuse(EPERM)),
    ]

    private static let files = [
        ArgumentCase("mknodat", none, none, 0o010600, 0, answer: .allow),
        ArgumentCase("mknodat", none, none, 0o100600, 0, answer: .allow),
        ArgumentCase("mknodat", none, none, 0o020600, 0, answer: .refuse(EPERM)),
        ArgumentCase("mknodat", none, none, 0o060600 | garbage, 0, answer: .refuse(EPERM)),
    ]
}
