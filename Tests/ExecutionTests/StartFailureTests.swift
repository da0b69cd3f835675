import Execution
import Glibc
import RunModel
import TestSupport
import Testing

@testable import Sandbox

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct StartFailureTests {
    @Test(arguments: [
        ("no-such-program", "ENOENT"), ("/no/such/program", "ENOENT"), ("/etc/passwd", "EACCES"),
        ("/box", "EACCES"), ("/etc/passwd/x", "ENOTDIR"), ("./x", "ENOENT"),
        (String(repeating: "x", count: 300), "ENAMETOOLONG"),
        ("/" + String(repeating: "x", count: 300), "ENAMETOOLONG"),
    ])
    func `a command that cannot be found or run never starts`(command: String, errno: String) async throws {
        let result = try await run(RunSpecification(command: [command]))
        #expect(result.outcome.name == "start_failed")
        #expect(result.outcome.failure?.step == "exec")
        #expect(result.outcome.failure?.errno == errno)
        #expect(result.usage == nil)
    }

    @Test func `a missing working directory is reported as such`() async throws {
        let result = try await run(RunSpecification(command: ["true"], workingDirectory: "/no/such/directory"))
        #expect(result.outcome.failure?.step == "working_directory")
        #expect(result.outcome.failure?.errno == "ENOENT")
    }

    @Test func `a file that is not a program is not passed to a shell`() async throws {
        let directory = try ScratchDirectory()
        try directory.makeFile("text", "echo not a program\n", mode: 0o755)
        let outcome = try await run(RunSpecification(command: ["/programs/text"]), showing: directory).outcome
        #expect(outcome.name == "start_failed")
        #expect(outcome.failure?.errno == "ENOEXEC")
    }

    @Test func `a script without its interpreter never starts`() async throws {
        let directory = try ScratchDirectory()
        try directory.makeFile("script", "#!/no/such/interpreter\n", mode: 0o755)
        let outcome = try await run(RunSpecification(command: ["/programs/script"]), showing: directory).outcome
        #expect(outcome.name == "start_failed")
        #expect(outcome.failure?.errno == "ENOENT")
        #expect(outcome.failure?.detail.contains("interpreter") == true)
    }

    @Test func `PATH is searched to its end before a denied file is reported`() async throws {
        let directory = try ScratchDirectory()
        try directory.makeFile("denied", "", mode: 0o644)
        try directory.makeFile("echo", "", mode: 0o644)
        let environment = ["PATH": "/no/such/directory:/programs:/usr/bin:/bin"]
        let denied = RunSpecification(command: ["denied"], environment: environment)
        #expect(try await run(denied, showing: directory).outcome.failure?.errno == "EACCES")
        let echo = RunSpecification(command: ["echo"], environment: environment)
        #expect(try await run(echo, showing: directory).outcome == .exited(code: 0))
    }

    @Test func `a command with too large arguments never starts`() async throws {
        let large = String(repeating: "x", count: 200_000)
        let outcome = try await run(RunSpecification(command: ["true", large])).outcome
        #expect(outcome.failure?.errno == "E2BIG")
        #expect(outcome.failure?.step == "exec")
    }

    private func run(
        _ specification: RunSpecification,
        showing directory: ScratchDirectory? = nil
    ) async throws -> RunResult {
        let host = SandboxPolicy.host(slots: 1, scratchBytes: 1 << 20)
        let policy = SandboxPolicy(
            entries: host.entries + (directory.map { [.bind(host: $0.path, at: "/programs")] } ?? []),
            hostUsers: host.hostUsers,
            slots: 1,
            scratchBytes: 1 << 20
        )
        return try await withLauncher(policy: policy) { launcher in
            try await Command(specification, on: launcher).result()
        }
    }
}
