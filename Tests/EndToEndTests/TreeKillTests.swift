import Glibc
import Testing

/// What a command leaves behind is gone when its run is finished: not soon after, but then.
struct TreeKillTests {
    @Test func `a background process is gone when its command has exited`() throws {
        try withServer { server in
            let nap = Marker.nap()
            let run = try server.shell("sleep \(nap) & echo hi", ["timeoutSeconds": 30])
            #expect(ProcessTable.running(nap).isEmpty)
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "hi\n")
            try #expect(#require(run.usage).wallSeconds < 20)
        }
    }

    @Test func `a grandchild that holds the pipe does not delay the verdict`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = """
                use POSIX; $| = 1; print "parent\\n";
                if (fork == 0) { setsid; exit 0 if fork; print "daemon\\n"; kill USR1 => $ARGV[0]; sleep 600 }
                wait; sleep 600
                """
            // The command ends once the daemon is there.
            let command = ["perl", "-e", "$SIG{USR1} = sub { exit 0 }; @ARGV = ($$, @ARGV); \(script)", word]
            let run = try server.run(command, ["timeoutSeconds": 30])
            #expect(ProcessTable.running(word).isEmpty)
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "parent\ndaemon\n")
            try #expect(#require(run.usage).wallSeconds < 20)
        }
    }

    @Test func `a grandchild that spins dies with the command that is killed`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = "sh -c 'sh -c \"while :; do :; done\" \(word)' & kill -9 $$"
            let run = try server.shell(script, ["timeoutSeconds": 30])
            #expect(ProcessTable.running(word).isEmpty)
            #expect(run.end == .signaled("SIGKILL"))
        }
    }

    @Test func `a grandchild that spins dies with the command that times out`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = "trap '' TERM; sh -c 'while :; do :; done' \(word) & wait"
            let run = try server.shell(script, ["timeoutSeconds": 0.3])
            #expect(ProcessTable.running(word).isEmpty)
            #expect(run.end == .timedOut)
        }
    }

    @Test func `a tree whose parts have left their sessions and groups dies at the deadline`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = """
                use POSIX; $SIG{$_} = 'IGNORE' for qw(HUP INT TERM QUIT USR1 USR2 PIPE CHLD);
                for (1..20) { if (fork == 0) { setsid; if (fork == 0) { sleep 600; exit } kill STOP => $$; exit } }
                sleep 600
                """
            let run = try server.run(["perl", "-e", script, word], ["timeoutSeconds": 0.5])
            #expect(ProcessTable.running(word).isEmpty)
            #expect(run.end == .timedOut)
        }
    }

    @Test func `what is left behind does not live on in its grace period`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = "trap '' TERM; sh -c 'while :; do sleep 0.01; done' \(word) & trap 'exit 2' TERM; wait; wait"
            let run = try server.shell(script, ["timeoutSeconds": 0.3, "graceSeconds": 30])
            #expect(ProcessTable.running(word).isEmpty)
            #expect(run.end == .timedOut(exitCode: 2))
        }
    }

    @Test func `a process that outlives its command cannot write to its output any more`() throws {
        try withServer { server in
            let run = try server.shell("(while :; do echo x; done) & exit 0", ["timeoutSeconds": 30])
            #expect(run.end == .exited(0))
            let later = try server.get("/runs/\(run.id)").run()
            #expect(later.stdout == run.stdout)
        }
    }

    @Test func `the command's own ending does not take another run's processes along`() throws {
        try withServer("--concurrency", "2") { server in
            let nap = Marker.nap()
            let other = try server.submit(["sh", "-c", "sleep \(nap); exit 0"], ["timeoutSeconds": 60])
            #expect(eventually { ProcessTable.running("sleep\0\(nap)").count == 1 })
            try #expect(server.shell("kill -9 -1; exit 1").end == .exited(1))
            #expect(ProcessTable.running("sleep\0\(nap)").count == 1)
            try #expect(server.get("/runs/\(other.id)").run().state == "running")
            for pid in ProcessTable.running("sleep\0\(nap)") { kill(pid, SIGKILL) }
            try #expect(server.finished(other).end == .exited(0))
        }
    }
}
