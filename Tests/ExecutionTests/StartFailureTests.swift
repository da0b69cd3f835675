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
        let detail = try #require(outcome.failure?.detail)
        #expect(detail.contains("one argument has 200000 bytes, and the kernel allows 131071"), "\(detail)")
    }

    @Test func `too many arguments are reported as too large together`() async throws {
        let part = String(repeating: "x", count: RunSpecification.longestString)
        // One string of the maximum length is no fault.
        #expect(try await run(RunSpecification(command: ["true", part])).outcome == .exited(code: 0))
        let parts = [String](repeating: part, count: 80)
        let outcome = try await run(RunSpecification(command: ["true"] + parts)).outcome
        #expect(outcome.failure?.errno == "E2BIG")
        let detail = try #require(outcome.failure?.detail)
        #expect(detail.contains("arguments and environment together take"), "\(detail)")
        let long = RunSpecification(command: ["true"], environment: ["A": part])
        let variable = try #require(try await run(long).outcome.failure?.detail)
        #expect(variable.contains("one environment variable has 131073 bytes"), "\(variable)")
    }

    @Test(arguments: [
        (["echo hi"], "Use [\"echo\", \"hi\"], or use a shell: [\"sh\", \"-c\", \"echo hi\"]"),
        (["echo $HOME"], "Make each argument an element of its own, or use a shell: [\"sh\", \"-c\", \"echo $HOME\"]"),
        (["echo \"a\""], "[\"sh\", \"-c\", \"echo \\\"a\\\"\"]"),
        (["ls -l", "/"], "or use a shell: [\"sh\", \"-c\", \"…\"]"),
        (["cd", "/tmp"], "[\"sh\", \"-c\", \"cd …\"]"),
    ])
    func `a command line for a shell is explained`(command: [String], advice: String) async throws {
        let failure = try #require(try await run(RunSpecification(command: command)).outcome.failure)
        #expect(failure.errno == "ENOENT")
        #expect(failure.detail.contains("No shell reads the command"), "\(failure.detail)")
        #expect(failure.detail.contains(advice), "\(failure.detail)")
    }

    @Test func `a missing program gets no advice about shells`() async throws {
        let failure = try #require(try await run(RunSpecification(command: ["no-such-program"])).outcome.failure)
        #expect(!failure.detail.contains("shell"))
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
