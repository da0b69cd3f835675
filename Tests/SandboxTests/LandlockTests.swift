import Glibc
import TestSupport
import Testing

@testable import Sandbox

/// The second wall around the file system.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct LandlockTests {
    private static let hasLandlock: @Sendable () async throws -> Bool = {
        try await withLauncher { launcher in launcher.support.walls.contains(.landlock) }
    }

    @Test(.enabled("this kernel has no Landlock of ABI 2 or later", hasLandlock))
    func `what the mounts let through is refused all the same`() async throws {
        // A process may rename itself, and here its /proc is one that is as the kernel makes it.
        let script = """
            for file in comm oom_score_adj; do (echo 1000 > /proc/self/$file) 2>&1 | grep -o 'Permission denied'; done
            """
        #expect(try await output(script, procIsWritable: true) == "Permission denied\nPermission denied\n")
        #expect(try await output(script, walls: .systemCallFilter, procIsWritable: true) == "")
    }

    @Test(.enabled("this kernel has no Landlock of ABI 2 or later", hasLandlock), arguments: [false, true])
    func `what the mounts of an image let through is refused all the same`(sharesNetwork: Bool) async throws {
        // The host's programs, as the top of an image.
        let image = try #require(SandboxImage.all(["a=/usr"]).first)
        let script = "ls -d /usr 2>/dev/null; (echo 1000 > /proc/self/oom_score_adj) 2>&1 | grep -o 'Permission denied'"
        func output(_ walls: SandboxWalls) async throws -> String {
            try await SystemCallProbe.output(
                of: ["sh", "-c", script],
                walls: walls,
                procIsWritable: true,
                image: image,
                sharesNetwork: sharesNetwork
            )
        }
        #expect(try await output([.systemCallFilter, .landlock]) == "Permission denied\n")
        #expect(try await output(.systemCallFilter) == "")
    }

    @Test(arguments: ["/box", "/tmp", "/dev/shm", "/var/tmp"])
    func `a run's own folders take everything that is not a device`(folder: String) async throws {
        let script = """
            cd \(folder) && mkdir a b && echo 1 > a/f && mv a/f b/f && mv b c && ln c/f a/g && ln -s f a/l \
            && mkfifo a/p && : > a/g && perl -MSocket -e 'socket S, PF_UNIX, SOCK_STREAM, 0 or die $!; \
            bind S, sockaddr_un("a/s") or die $!; truncate "c/f", 5 or die $!' && stat -c %s a/g && rm -r a c && ls -A
            """
        #expect(try await output(script) == "5\n")
    }

    @Test func `the devices take what is written to them`() async throws {
        let script = """
            echo x > /dev/null && echo x >> /dev/null && : > /dev/zero && echo x > /dev/random \
            && ! (echo x > /dev/full) 2>/dev/null && echo full; perl -e 'open F, "+<", "/dev/null" or die $!; \
            ioctl F, 0x5401, my $b = "x" x 99; print $!{ENOTTY} ? "no terminal\\n" : "$!\\n"'
            """
        #expect(try await output(script) == "full\nno terminal\n")
    }

    @Test func `what has no name any more can be opened again`() async throws {
        let script = """
            exec 3<>/tmp/f && rm /tmp/f && echo 1 > /proc/self/fd/3 && cat /proc/self/fd/3
            echo 2 | (cat > /dev/stdout) | cat
            """
        #expect(try await output(script) == "1\n2\n")
    }

    @Test func `a run that is told to write to its standard output by name does`() async throws {
        #expect(try await output("echo 1 > /dev/stdout; echo 2 > /dev/fd/1") == "1\n2\n")
    }

    private func output(
        _ script: String,
        walls: SandboxWalls = [.systemCallFilter, .landlock],
        procIsWritable: Bool = false
    ) async throws -> String {
        try await SystemCallProbe.output(of: ["sh", "-c", script], walls: walls, procIsWritable: procIsWritable)
    }
}
