import Glibc
import TestSupport
import Testing

@testable import Sandbox

/// Whether each wall stands by itself: with it turned off something gets through, and with all of them nothing does.
///
/// The mounts, the namespaces and the change of user have no switch. What gets through without them is what gets through
/// outside: `ContainmentTests` make every attempt there too.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct WallSelfCheckTests {
    /// A wall, and attempts that it alone keeps from succeeding: shell scripts that end with 0 when they got what they were
    /// after.
    struct Wall: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let wall: SandboxWalls
        let attempts: [String]
    }

    private static let all: SandboxWalls = [.systemCallFilter, .landlock]

    private static func call(_ name: String, _ arguments: Int...) -> String {
        let number = SystemCallFilter.number(of: name) ?? -1
        let list = ([Int(number)] + arguments).map(String.init).joined(separator: ", ")
        return "perl -e 'exit(syscall(\(list)) == -1)'"
    }

    private static let walls = [
        Wall(
            testDescription: "the filter of system calls",
            wall: .systemCallFilter,
            attempts: [
                call("userfaultfd", 1), call("keyctl", 0, -2, 1), call("personality", 8), call("ptrace", 0, 0, 0, 0),
                // Netlink and vsock.
                call("socket", 16, 3, 0), call("socket", 40, 1, 0),
            ]
        ),
        Wall(
            testDescription: "Landlock",
            wall: .landlock,
            attempts: ["echo 1000 > /proc/self/oom_score_adj", "echo x > /proc/self/comm"]
        ),
    ]

    @Test(arguments: walls) func `what a wall keeps in gets out without it`(wall: Wall) async throws {
        let standing = try await withLauncher { launcher in launcher.support.walls }
        // A kernel without it has nothing to be turned off.
        guard standing.contains(wall.wall) else { return }
        #expect(try await open(wall.attempts, behind: Self.all.subtracting(wall.wall)).contains(true))
    }

    @Test(arguments: walls) func `nothing gets out while all walls stand`(wall: Wall) async throws {
        let standing = try await withLauncher { launcher in launcher.support.walls }
        guard standing.contains(wall.wall) else { return }
        #expect(try await !open(wall.attempts, behind: Self.all).contains(true))
    }

    /// Which of the attempts succeed.
    private func open(_ attempts: [String], behind walls: SandboxWalls) async throws -> [Bool] {
        let script = attempts.map { "(\($0)) 2>/dev/null && echo open || echo closed" }.joined(separator: "\n")
        let output = try await SystemCallProbe.output(of: ["sh", "-c", script], walls: walls)
        let answers = output.split(separator: "\n").map { $0 == "open" }
        try #require(answers.count == attempts.count, "\(output)")
        return answers
    }
}
