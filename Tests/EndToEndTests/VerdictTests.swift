import Glibc
import Testing

/// How a command ended, and that nothing but the command decides it.
struct VerdictTests {
    @Test func `a command that ends in time has exited with zero`() throws {
        try withServer { server in
            let run = try server.run(["sleep", "0.1"], ["timeoutSeconds": 1])
            #expect(run.end == .exited(0))
            #expect(run.error == nil)
        }
    }

    @Test func `a command that is called wrongly has exited with one and says why`() throws {
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

    @Test func `every exit code is the command's own, those that other tools give a meaning too`() throws {
        try withServer { server in
            for code in [0, 1, 124, 125, 126, 127, 128, 137, 143, 255] {
                try #expect(server.shell("exit \(code)").end == .exited(code))
            }
        }
    }

    @Test(arguments: [("KILL", 9), ("SEGV", 11), ("ABRT", 6), ("TERM", 15), ("XCPU", 24), ("34", 34)])
    func `a signal that nobody but the command sent is a signal`(name: String, number: Int) throws {
        try withServer { server in
            let run = try server.run(["perl", "-e", "kill \(number), $$; sleep 60"])
            #expect(run.outcome == "signaled")
            #expect(run.signal?.number == number)
            #expect(run.signal?.name == "SIG\(name)")
            #expect(run.signal?.coreDumped == false)
            #expect(run.exitCode == nil)
            #expect(!run.timedOut)
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

    @Test func `a command killed from outside, by somebody else, has not timed out`() throws {
        try withServer { server in
            let nap = Marker.nap()
            let run = try server.submit(["sleep", nap], ["timeoutSeconds": 60])
            #expect(eventually { !ProcessTable.running(nap).isEmpty })
            for pid in ProcessTable.running(nap) { kill(pid, SIGKILL) }
            try #expect(server.finished(run).end == .signaled("SIGKILL"))
        }
    }

    @Test func `usage tells what the command used`() throws {
        try withServer { server in
            let script = "my $text = 'x' x (64 << 20); 1 while times < 0.2"
            let usage = try #require(try server.perl(script, ["timeoutSeconds": 60]).usage)
            #expect(usage.wallSeconds >= 0.2)
            try #expect(#require(usage.userSeconds) + #require(usage.systemSeconds) >= 0.2)
            try #expect(#require(usage.peakMemoryBytes) >= 64 << 20)
        }
    }
}
