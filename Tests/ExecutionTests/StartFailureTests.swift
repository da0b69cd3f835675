import Execution
import Glibc
import Runs
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
    func `a command that cannot be found or run never started`(command: String, errno: String) async throws {
        let conclusion = try await run(RunSpecification(command: [command]))
        #expect(conclusion.outcome.name == "start_failed")
        #expect(conclusion.outcome.failure?.step == "exec")
        #expect(conclusion.outcome.failure?.errno == errno)
        #expect(conclusion.usage == nil)
    }

    @Test func `a working directory that is not there is no fault of the command's file`() async throws {
        let conclusion = try await run(RunSpecification(command: ["true"], workingDirectory: "/no/such/folder"))
        #expect(conclusion.outcome.failure?.step == "working_directory")
        #expect(conclusion.outcome.failure?.errno == "ENOENT")
    }

    @Test func `a file that is no program is not handed to a shell`() async throws {
        let folder = try ScratchFolder()
        try folder.makeFile("text", "echo not a program\n", mode: 0o755)
        let outcome = try await run(RunSpecification(command: ["/programs/text"]), showing: folder).outcome
        #expect(outcome.name == "start_failed")
        #expect(outcome.failure?.errno == "ENOEXEC")
    }

    @Test func `a script whose interpreter is missing never started`() async throws {
        let folder = try ScratchFolder()
        try folder.makeFile("script", "#!/no/such/interpreter\n", mode: 0o755)
        let outcome = try await run(RunSpecification(command: ["/programs/script"]), showing: folder).outcome
        #expect(outcome.name == "start_failed")
        #expect(outcome.failure?.errno == "ENOENT")
        #expect(outcome.failure?.detail.contains("interpreter") == true)
    }

    @Test func `PATH is searched to its end, and a denied file is told of last`() async throws {
        let folder = try ScratchFolder()
        try folder.makeFile("denied", "", mode: 0o644)
        try folder.makeFile("echo", "", mode: 0o644)
        let environment = ["PATH": "/no/such/folder:/programs:/usr/bin:/bin"]
        let denied = RunSpecification(command: ["denied"], environment: environment)
        #expect(try await run(denied, showing: folder).outcome.failure?.errno == "EACCES")
        let echo = RunSpecification(command: ["echo"], environment: environment)
        #expect(try await run(echo, showing: folder).outcome == .exited(code: 0))
    }

    @Test func `arguments that are too large never started`() async throws {
        let large = String(repeating: "x", count: 200_000)
        let outcome = try await run(RunSpecification(command: ["true", large])).outcome
        #expect(outcome.failure?.errno == "E2BIG")
        #expect(outcome.failure?.step == "exec")
    }

    private func run(_ specification: RunSpecification, showing folder: ScratchFolder? = nil) async throws -> Conclusion
    {
        let host = SandboxPolicy.host(slots: 1, scratchBytes: 1 << 20)
        let policy = SandboxPolicy(
            entries: host.entries + (folder.map { [.bind(host: $0.path, at: "/programs")] } ?? []),
            hostUsers: host.hostUsers,
            slots: 1,
            scratchBytes: 1 << 20
        )
        return try await withLauncher(policy: policy) { launcher in
            try await Command(specification, on: launcher).conclusion()
        }
    }
}
