import Glibc
import TestSupport
import Testing

@testable import Sandbox

/// Whether each wall stands by itself: with it turned off something gets through, and with all of them nothing does.
///
/// The mounts, the namespaces and the change of user have no switch. What gets through without them is what gets through
/// outside: `ContainmentTests` make every attempt there too.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct WallSelfCheckTests {
    private static let all: SandboxWalls = [.systemCallFilter, .landlock]
    private static let hasLandlock: @Sendable () async throws -> Bool = {
        try await withLauncher { launcher in launcher.support.walls.contains(.landlock) }
    }

    // MARK: Shell scripts that end with 0 when they got what they were after

    private static let callsThatTheFilterStops = [
        call("userfaultfd", 1), call("keyctl", 0, -2, 1), call("personality", 8), call("ptrace", 0, 0, 0, 0),
        // Netlink and vsock.
        call("socket", 16, 3, 0), call("socket", 40, 1, 0),
    ]

    private static let writesThatLandlockStops = ["echo 1000 > /proc/self/oom_score_adj", "echo x > /proc/self/comm"]

    private static func call(_ name: String, _ arguments: Int...) -> String {
        let number = SystemCallFilter.number(of: name) ?? -1
        let list = ([Int(number)] + arguments).map(String.init).joined(separator: ", ")
        return "perl -e 'exit(syscall(\(list)) == -1)'"
    }

    // MARK: The walls in turn

    @Test func `without the filter of system calls something gets through`() async throws {
        #expect(try await open(Self.callsThatTheFilterStops, behind: .landlock).contains(true))
    }

    @Test(.enabled("this kernel has no Landlock of ABI 2 or later", hasLandlock))
    func `without Landlock something gets through`() async throws {
        #expect(try await open(Self.writesThatLandlockStops, behind: .systemCallFilter).contains(true))
    }

    @Test func `nothing gets through the filter of system calls`() async throws {
        #expect(try await !open(Self.callsThatTheFilterStops, behind: Self.all).contains(true))
    }

    @Test(.enabled("this kernel has no Landlock of ABI 2 or later", hasLandlock))
    func `nothing gets through Landlock`() async throws {
        #expect(try await !open(Self.writesThatLandlockStops, behind: Self.all).contains(true))
    }

    /// Which of the attempts succeed.
    private func open(_ attempts: [String], behind walls: SandboxWalls) async throws -> [Bool] {
        let script = attempts.map { "(\($0)) 2>/dev/null && echo open || echo closed" }.joined(separator: "\n")
        // The read-only /proc stands before Landlock.
        let output = try await SystemCallProbe.output(of: ["sh", "-c", script], walls: walls, procIsWritable: true)
        let answers = output.split(separator: "\n").map { $0 == "open" }
        try #require(answers.count == attempts.count, "\(output)")
        return answers
    }
}
