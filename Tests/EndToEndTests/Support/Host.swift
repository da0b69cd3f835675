import Foundation
import Glibc
import Testing

/// This machine and this checkout.
enum Host {
    static let isRoot = geteuid() == 0

    /// True if this user may create control groups of version 1.
    ///
    /// `make test-cgroup2` tests hosts that have only version 2.
    static let hasControlGroups = isRoot && access("/sys/fs/cgroup/memory/cgroup.procs", W_OK) == 0

    /// The real program, which the build places beside the bundle of the tests.
    static let program: String = {
        let bundle = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appending(path: "sandglass").path()
    }()

    /// A copy of the program that every user may execute.
    static let sharedProgram: String = {
        let copy = "/tmp/sandglass-e2e-\(getpid())"
        try? FileManager.default.removeItem(atPath: copy)
        try? FileManager.default.copyItem(atPath: program, toPath: copy)
        chmod(copy, 0o755)
        atexit { unlink("/tmp/sandglass-e2e-\(getpid())") }
        return copy
    }()

    /// The prefix that runs a command as an ordinary user; empty if the tests run as one already.
    static let asOrdinaryUser: [String] =
        isRoot ? ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"] : []

    /// Returns the absolute path of a file of the repository.
    ///
    /// This file is in `Tests/EndToEndTests/Support`.
    static func repositoryPath(_ path: String) -> String {
        URL(filePath: #filePath).appending(path: "../../../../" + path).standardized.path(percentEncoded: false)
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test unless the program is in /usr, where commands see it.
    static func needs(_ program: String) -> ConditionTrait {
        .enabled(if: access("/usr/bin/\(program)", X_OK) == 0, "/usr/bin/\(program) is not installed")
    }
}

/// Prefixes that run a command on a kernel without one system call.
enum SeccompDeny {
    /// Returns a prefix whose filter makes the call fail with ENOSYS, for the command and its children.
    static func call(_ number: Int) -> [String] {
        // Loads the number; returns SECCOMP_RET_ERRNO with ENOSYS or SECCOMP_RET_ALLOW.
        let script = """
            my $filter = pack '(SCCL)*', 0x20, 0, 0, 0, 0x15, 0, 1, shift, 6, 0, 0, 0x50026, 6, 0, 0, 0x7fff0000;
            my $program = pack 'Sx6P', 4, $filter;
            syscall(157, 38, 1, 0, 0, 0) == 0 or die $!;
            syscall(157, 22, 2, $program) == 0 or die $!;
            exec @ARGV;
            """
        return ["perl", "-e", script, "\(number)"]
    }
}
