import Glibc
import TestSupport
import Testing

/// The verdict: exit codes, signals, timeouts and usage.
struct VerdictTests {
    @Test func `a command that ends in time exits with 0`() throws {
        try withServer { server in
            let run = try server.run(["sleep", "0.1"], ["timeoutSeconds": 1])
            #expect(run.end == .exited(0))
            #expect(run.error == nil)
        }
    }

    @Test func `a command with an invalid option exits with 1 and its message`() throws {
        try withServer { server in
            let run = try server.run(["sleep", "-w00t"], ["timeoutSeconds": 1])
            #expect(run.end == .exited(1))
            #expect(run.stderr.text.contains("invalid option"))
            #expect(run.stdout.bytes == 0)
        }
    }

    @Test func `a command that runs too long has timed out`() throws {
        try withServer { server in
            let run = try server.run(["sleep", "10"], ["timeoutSeconds": 1])
            #expect(run.end == .timedOut)
            try #expect(#require(run.usage).wallSeconds >= 1)
            try #expect(#require(run.usage).wallSeconds < 8)
        }
    }

    @Test func `every exit code is reported, also those with a meaning in other tools`() throws {
        try withServer { server in
            for code in [0, 1, 124, 125, 126, 127, 128, 137, 143, 255] {
                try #expect(server.shell("exit \(code)").end == .exited(code))
            }
        }
    }

    @Test func `a signal that the command sent itself is reported`() throws {
        try withServer { server in
            for (name, number) in [("KILL", 9), ("SEGV", 11), ("ABRT", 6), ("TERM", 15), ("XCPU", 24), ("34", 34)] {
                let run = try server.run(["perl", "-e", "kill \(number), $$; sleep 60"])
                #expect(run.outcome == "signaled", "\(name)")
                #expect(run.signal?.number == number, "\(name)")
                #expect(run.signal?.name == "SIG\(name)", "\(name)")
                #expect(run.signal?.coreDumped == false, "\(name)")
                #expect(run.exitCode == nil, "\(name)")
                #expect(!run.timedOut, "\(name)")
            }
        }
    }

    @Test func `a shell that kills itself is signaled`() throws {
        try withServer { server in
            try #expect(server.shell("kill -9 $$").end == .signaled("SIGKILL"))
            try #expect(server.shell("kill -SEGV $$").end == .signaled("SIGSEGV"))
        }
    }

    @Test func `a program that aborts is signaled`() throws {
        try withServer { server in
            try #expect(server.perl("use POSIX; POSIX::abort()").end == .signaled("SIGABRT"))
        }
    }

    @Test func `a command killed from outside has not timed out`() throws {
        try withServer { server in
            let nap = Marker.nap()
            let run = try server.submit(["sleep", nap], ["timeoutSeconds": 60])
            #expect(eventually { !ProcessTable.running(nap).isEmpty })
            for pid in ProcessTable.running(nap) { kill(pid, SIGKILL) }
            try #expect(server.finished(run).end == .signaled("SIGKILL"))
        }
    }

    @Test func `usage reports time and memory of the command`() throws {
        try withServer { server in
            let script = "my $text = 'x' x (64 << 20); 1 while times < 0.2"
            let usage = try #require(try server.perl(script, ["timeoutSeconds": 60]).usage)
            #expect(usage.wallSeconds >= 0.2)
            try #expect(#require(usage.userSeconds) + #require(usage.systemSeconds) >= 0.2)
            try #expect(#require(usage.peakMemoryBytes) >= 64 << 20)
        }
    }
}

/// Commands that never start.
///
/// The run reports the failing step and the reason, not exit code 127.
struct StartFailureTests {
    private func expectFailure(
        _ run: RunDocument,
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

    @Test func `a command that does not exist fails to start with ENOENT`() throws {
        try withServer { server in
            expectFailure(try server.run(["/usr/bin/no-such-command"]), "exec", "ENOENT")
            expectFailure(try server.run(["no-such-command"]), "exec", "ENOENT")
            expectFailure(try server.run(["./no-such-command"]), "exec", "ENOENT")
            expectFailure(try server.run(["true"], ["env": ["PATH": "/nowhere:/usr/share"]]), "exec", "ENOENT")
        }
    }

    @Test func `a file without execute permission and a directory fail to start with EACCES`() throws {
        try withServer { server in
            expectFailure(try server.run(["/etc/passwd"]), "exec", "EACCES")
            expectFailure(try server.run(["/usr"]), "exec", "EACCES")
            expectFailure(try server.run(["/"]), "exec", "EACCES")
            expectFailure(try server.run(["passwd"], ["env": ["PATH": "/etc:/nowhere"]]), "exec", "EACCES")
        }
    }

    @Test func `a path through a file and a path that is too long fail to start`() throws {
        try withServer { server in
            expectFailure(try server.run(["/etc/passwd/x"]), "exec", "ENOTDIR")
            expectFailure(try server.run(["/" + String(repeating: "x", count: 5000)]), "exec", "ENAMETOOLONG")
        }
    }

    @Test func `oversized arguments fail to start with E2BIG`() throws {
        try withServer { server in
            // All arguments together may have a quarter of the stack limit (execve(2)). A single one that is longer than
            // 128 KiB is refused before.
            let many = Array(repeating: String(repeating: "y", count: 10_000), count: 900)
            expectFailure(try server.run(["echo"] + many), "exec", "E2BIG")
            let long = String(repeating: "x", count: 131_072)
            let refused = try server.post(ServerProcess.body(["echo", long], ["env": ["LONG": long]]))
            #expect(refused.status == 422)
            try #expect(Set(refused.problem().pointers) == ["/command/1", "/env/LONG"])
            try #expect(server.run(["echo", String(repeating: "z", count: 100_000)]).stdout.bytes == 100_001)
        }
    }

    @Test func `a working directory that cannot be entered fails the start`() throws {
        try withServer { server in
            let directories = ["/no/such": "ENOENT", "/etc/passwd": "ENOTDIR", "/proc/1/cwd": "EACCES"]
            for (path, errno) in directories {
                expectFailure(try server.run(["true"], ["workingDirectory": path]), "working_directory", errno)
            }
        }
    }

    @Test func `a file that is not a program and a script without its interpreter fail to start`() throws {
        // Commands see the host's /usr. A mount for this server only puts the files there.
        let directory = try TemporaryDirectory()
        try directory.write("text", "just text\n", mode: 0o755)
        try directory.write("empty", "", mode: 0o755)
        try directory.write("script", "#!/no/such/interpreter\n", mode: 0o755)
        try directory.write("private", "#!/bin/sh\n", mode: 0o644)
        try directory.write("works", "#!/bin/sh\nexit 21\n", mode: 0o755)
        let flags = Host.isRoot ? ["--mount"] : ["--map-root-user", "--mount"]
        let mount = "mount --bind \(directory.path) /usr/local/games && exec \"$@\""
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

    @Test func `a shell that does not find its command exits with 127`() throws {
        try withServer { server in
            try #expect(server.shell("/no/such/command").end == .exited(127))
            try #expect(server.shell("/etc/passwd").end == .exited(126))
        }
    }

    @Test func `a command starts after fifty failed starts`() throws {
        try withServer("--concurrency", "1") { server in
            for _ in 0..<50 { expectFailure(try server.run(["/no/such"]), "exec", "ENOENT") }
            try #expect(server.shell("exit 1").end == .exited(1))
        }
    }
}
