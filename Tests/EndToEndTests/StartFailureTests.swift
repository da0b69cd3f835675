import Glibc
import Testing

/// Commands that never start: the run says at which step and why, and is no exit code 127.
struct StartFailureTests {
    private func expectFailure(
        _ run: RunReply,
        _ step: String,
        _ errno: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(run.end == .startFailed, sourceLocation: sourceLocation)
        #expect(run.error?.step == step, sourceLocation: sourceLocation)
        #expect(run.error?.errno == errno, sourceLocation: sourceLocation)
        #expect(run.error?.detail.isEmpty == false, sourceLocation: sourceLocation)
        #expect(run.startedAt == nil, sourceLocation: sourceLocation)
        #expect(run.finishedAt != nil, sourceLocation: sourceLocation)
    }

    @Test func `a command that does not exist`() throws {
        try withServer { server in
            expectFailure(try server.run(["/usr/bin/no-such-command"]), "exec", "ENOENT")
            expectFailure(try server.run(["no-such-command"]), "exec", "ENOENT")
            expectFailure(try server.run(["./no-such-command"]), "exec", "ENOENT")
            expectFailure(try server.run(["true"], ["env": ["PATH": "/nowhere:/usr/share"]]), "exec", "ENOENT")
        }
    }

    @Test func `a file that may not be executed, and a folder`() throws {
        try withServer { server in
            expectFailure(try server.run(["/etc/passwd"]), "exec", "EACCES")
            expectFailure(try server.run(["/usr"]), "exec", "EACCES")
            expectFailure(try server.run(["/"]), "exec", "EACCES")
            expectFailure(try server.run(["passwd"], ["env": ["PATH": "/etc:/nowhere"]]), "exec", "EACCES")
        }
    }

    @Test func `a path through something that is no folder, and one that is too long`() throws {
        try withServer { server in
            expectFailure(try server.run(["/etc/passwd/x"]), "exec", "ENOTDIR")
            expectFailure(try server.run(["/" + String(repeating: "x", count: 5000)]), "exec", "ENAMETOOLONG")
        }
    }

    @Test func `arguments that are too large`() throws {
        try withServer { server in
            // One argument may have 128 KiB, all of them together a quarter of the stack's limit (execve(2)).
            let long = String(repeating: "x", count: 200_000)
            expectFailure(try server.run(["echo", long]), "exec", "E2BIG")
            let many = Array(repeating: String(repeating: "y", count: 10_000), count: 900)
            expectFailure(try server.run(["echo"] + many), "exec", "E2BIG")
            expectFailure(try server.run(["echo"], ["env": ["LONG": long]]), "exec", "E2BIG")
            try #expect(server.run(["echo", String(repeating: "z", count: 100_000)]).stdout.bytes == 100_001)
        }
    }

    @Test func `a working directory that cannot be entered`() throws {
        try withServer { server in
            let directories = ["/no/such": "ENOENT", "/etc/passwd": "ENOTDIR", "/proc/1/cwd": "EACCES"]
            for (path, errno) in directories {
                expectFailure(try server.run(["true"], ["workingDirectory": path]), "working_directory", errno)
            }
        }
    }

    @Test func `a file that is no program, and a script whose interpreter does not exist`() throws {
        // Commands see the host's /usr: for this server alone a folder of it has these files.
        let folder = try TemporaryFolder()
        try folder.write("text", "just text\n", mode: 0o755)
        try folder.write("empty", "", mode: 0o755)
        try folder.write("script", "#!/no/such/interpreter\n", mode: 0o755)
        try folder.write("private", "#!/bin/sh\n", mode: 0o644)
        try folder.write("works", "#!/bin/sh\nexit 21\n", mode: 0o755)
        let flags = Host.isRoot ? ["--mount"] : ["--map-root-user", "--mount"]
        let mount = "mount --bind \(folder.path) /usr/local/games && exec \"$@\""
        let back = Host.isRoot ? [] : ["unshare", "--user", "--map-user=\(getuid())", "--map-group=\(getgid())"]
        let prefix = ["unshare"] + flags + ["--propagation", "private", "sh", "-c", mount, "sh"] + back
        try withServer(prefix: prefix) { server in
            expectFailure(try server.run(["/usr/local/games/text"]), "exec", "ENOEXEC")
            expectFailure(try server.run(["/usr/local/games/empty"]), "exec", "ENOEXEC")
            expectFailure(try server.run(["text"], ["env": ["PATH": "/usr/local/games"]]), "exec", "ENOEXEC")
            expectFailure(try server.run(["/usr/local/games/script"]), "exec", "ENOENT")
            expectFailure(try server.run(["/usr/local/games/private"]), "exec", "EACCES")
            try #expect(server.run(["/usr/local/games/works"]).end == .exited(21))
        }
    }

    @Test func `a shell that does not find its command has exited with 127`() throws {
        try withServer { server in
            try #expect(server.shell("/no/such/command").end == .exited(127))
            try #expect(server.shell("/etc/passwd").end == .exited(126))
        }
    }

    @Test func `the next command starts all the same`() throws {
        try withServer("--concurrency", "1") { server in
            for _ in 0..<50 { expectFailure(try server.run(["/no/such"]), "exec", "ENOENT") }
            try #expect(server.shell("exit 1").end == .exited(1))
        }
    }
}
