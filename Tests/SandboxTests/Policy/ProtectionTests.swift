import Glibc
import TestSupport
import Testing

@testable import Sandbox

/// Tests that each protection has an effect of its own: without it some attempt succeeds, and with all of them none
/// does.
///
/// The mounts, the namespaces and the change of user cannot be switched off. For these, `ContainmentTests` make every
/// attempt outside of a sandbox too.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct ProtectionSelfCheckTests {
    private static let all: SandboxProtections = [.systemCallFilter, .landlock]
    private static let hasLandlock: @Sendable () async throws -> Bool = {
        try await withLauncher { launcher in launcher.support.protections.contains(.landlock) }
    }

    // MARK: Shell scripts that exit with 0 if their attempt succeeds

    private static let callsDeniedByFilter = [
        call("userfaultfd", 1), call("keyctl", 0, -2, 1), call("personality", 8),
        // Netlink and vsock.
        call("socket", 16, 3, 16), call("socket", 40, 1, 0),
    ]

    private static let writesDeniedByLandlock = ["echo 1000 > /proc/self/oom_score_adj", "echo x > /proc/self/comm"]

    private static func call(_ name: String, _ arguments: Int...) -> String {
        let number = SystemCallFilter.number(of: name) ?? -1
        let list = ([Int(number)] + arguments).map(String.init).joined(separator: ", ")
        return "perl -e 'exit(syscall(\(list)) == -1)'"
    }

    // MARK: Each protection in turn

    @Test func `without the system call filter some attempt succeeds`() async throws {
        #expect(try await successes(Self.callsDeniedByFilter, behind: .landlock).contains(true))
    }

    @Test(.enabled("this kernel has no Landlock of ABI 2 or later", hasLandlock))
    func `without Landlock some attempt succeeds`() async throws {
        #expect(try await successes(Self.writesDeniedByLandlock, behind: .systemCallFilter).contains(true))
    }

    @Test func `with the system call filter no attempt succeeds`() async throws {
        #expect(try await !successes(Self.callsDeniedByFilter, behind: Self.all).contains(true))
    }

    @Test(.enabled("this kernel has no Landlock of ABI 2 or later", hasLandlock))
    func `with Landlock no attempt succeeds`() async throws {
        #expect(try await !successes(Self.writesDeniedByLandlock, behind: Self.all).contains(true))
    }

    /// Makes the attempts and returns whether each succeeded.
    private func successes(_ attempts: [String], behind protections: SandboxProtections) async throws -> [Bool] {
        let script = attempts.map { "(\($0)) 2>/dev/null && echo open || echo closed" }.joined(separator: "\n")
        // A read-only /proc would deny the writes before Landlock does.
        let output = try await SystemCallProbe.output(
            of: ["sh", "-c", script],
            protections: protections,
            procIsWritable: true
        )
        let results = output.split(separator: "\n").map { $0 == "open" }
        try #require(results.count == attempts.count, "\(output)")
        return results
    }
}

/// Tests of Landlock, which protects the file system beside the mounts.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct LandlockTests {
    private static let hasLandlock: @Sendable () async throws -> Bool = {
        try await withLauncher { launcher in launcher.support.protections.contains(.landlock) }
    }

    @Test(.enabled("this kernel has no Landlock of ABI 2 or later", hasLandlock))
    func `Landlock denies writes that the mounts allow`() async throws {
        // With a writable /proc a process may rename itself.
        let script = """
            for file in comm oom_score_adj; do (echo 1000 > /proc/self/$file) 2>&1 | grep -o 'Permission denied'; done
            """
        #expect(try await output(script, procIsWritable: true) == "Permission denied\nPermission denied\n")
        #expect(try await output(script, protections: .systemCallFilter, procIsWritable: true) == "")
    }

    @Test(.enabled("this kernel has no Landlock of ABI 2 or later", hasLandlock), arguments: [false, true])
    func `Landlock denies writes that the mounts of an image allow`(sharesNetwork: Bool) async throws {
        // The image's top directory is the host's /usr.
        let image = try #require(SandboxImage.all(["a=/usr"]).first)
        let script = "ls -d /usr 2>/dev/null; (echo 1000 > /proc/self/oom_score_adj) 2>&1 | grep -o 'Permission denied'"
        func output(_ protections: SandboxProtections) async throws -> String {
            try await SystemCallProbe.output(
                of: ["sh", "-c", script],
                protections: protections,
                procIsWritable: true,
                image: image,
                sharesNetwork: sharesNetwork
            )
        }
        #expect(try await output([.systemCallFilter, .landlock]) == "Permission denied\n")
        #expect(try await output(.systemCallFilter) == "")
    }

    @Test(arguments: ["/box", "/tmp", "/dev/shm", "/var/tmp"])
    func `a run may create everything but devices in its own directories`(directory: String) async throws {
        let script = """
            cd \(directory) && mkdir a b && echo 1 > a/f && mv a/f b/f && mv b c && ln c/f a/g && ln -s f a/l \
            && mkfifo a/p && : > a/g && perl -MSocket -e 'socket S, PF_UNIX, SOCK_STREAM, 0 or die $!; \
            bind S, sockaddr_un("a/s") or die $!; truncate "c/f", 5 or die $!' && stat -c %s a/g && rm -r a c && ls -A
            """
        #expect(try await output(script) == "5\n")
    }

    @Test func `the devices can be written to`() async throws {
        let script = """
            echo x > /dev/null && echo x >> /dev/null && : > /dev/zero && echo x > /dev/random \
            && ! (echo x > /dev/full) 2>/dev/null && echo full; perl -e 'open F, "+<", "/dev/null" or die $!; \
            ioctl F, 0x5401, my $b = "x" x 99; print $!{ENOTTY} ? "no terminal\\n" : "$!\\n"'
            """
        #expect(try await output(script) == "full\nno terminal\n")
    }

    @Test func `a deleted file can be opened again through its descriptor`() async throws {
        let script = """
            exec 3<>/tmp/f && rm /tmp/f && echo 1 > /proc/self/fd/3 && cat /proc/self/fd/3
            echo 2 | (cat > /dev/stdout) | cat
            """
        #expect(try await output(script) == "1\n2\n")
    }

    @Test func `a run can write to its standard output by name`() async throws {
        #expect(try await output("echo 1 > /dev/stdout; echo 2 > /dev/fd/1") == "1\n2\n")
    }

    private func output(
        _ script: String,
        protections: SandboxProtections = [.systemCallFilter, .landlock],
        procIsWritable: Bool = false
    ) async throws -> String {
        try await SystemCallProbe.output(
            of: ["sh", "-c", script],
            protections: protections,
            procIsWritable: procIsWritable
        )
    }
}
