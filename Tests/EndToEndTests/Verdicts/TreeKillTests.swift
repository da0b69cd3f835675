import Glibc
import Testing

/// The processes of a command have ended when its run is finished, and not only soon after.
struct TreeKillTests {
    @Test func `a background process ends with its command`() throws {
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
            // The command ends once the daemon runs.
            let command = ["perl", "-e", "$SIG{USR1} = sub { exit 0 }; @ARGV = ($$, @ARGV); \(script)", word]
            let run = try server.run(command, ["timeoutSeconds": 30])
            #expect(ProcessTable.running(word).isEmpty)
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "parent\ndaemon\n")
            try #expect(#require(run.usage).wallSeconds < 20)
        }
    }

    @Test func `a busy grandchild ends with a killed command`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = "sh -c 'sh -c \"while :; do :; done\" \(word)' & kill -9 $$"
            let run = try server.shell(script, ["timeoutSeconds": 30])
            #expect(ProcessTable.running(word).isEmpty)
            #expect(run.end == .signaled("SIGKILL"))
        }
    }

    @Test func `a busy grandchild ends with a command that times out`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = "trap '' TERM; sh -c 'while :; do :; done' \(word) & wait"
            let run = try server.shell(script, ["timeoutSeconds": 0.3])
            #expect(ProcessTable.running(word).isEmpty)
            #expect(run.end == .timedOut)
        }
    }

    @Test func `processes in other sessions and groups end at the deadline`() throws {
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

    @Test func `a descendant that ignores SIGTERM ends with the grace period`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = "trap '' TERM; sh -c 'while :; do sleep 0.01; done' \(word) & trap 'exit 2' TERM; wait; wait"
            let run = try server.shell(script, ["timeoutSeconds": 0.3, "graceSeconds": 1])
            #expect(ProcessTable.running(word).isEmpty)
            #expect(run.end == .timedOut(exitCode: 2))
        }
    }

    @Test func `a descendant cannot write to the output after the command's end`() throws {
        try withServer { server in
            let run = try server.shell("(while :; do echo x; done) & exit 0", ["timeoutSeconds": 30])
            #expect(run.end == .exited(0))
            let later = try server.get("/runs/\(run.id)").run()
            #expect(later.stdout == run.stdout)
        }
    }

    @Test func `the end of a run does not kill processes of another run`() throws {
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

/// Commands that create as many processes as they can.
@Suite(.serialized)
struct ForkBombTests {
    @Test func `a fork bomb ends at its deadline`() throws {
        try withServer { server in
            let word = Marker.word()
            let run = try server.run(
                ["sh", "-c", "f() { f & f & wait; }; f & exec sleep 600", word],
                ["timeoutSeconds": 0.5, "limits": ["processes": 8192, "memoryBytes": 16 << 30]]
            )
            #expect(run.end == .timedOut)
            #expect(ProcessTable.running(word).isEmpty)
            try #expect(server.shell("exit 3").end == .exited(3))
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `a fork bomb within the default limits ends at its deadline on a busy machine`() throws {
        try withServer { server in
            let word = Marker.word()
            // There are more processes than processors, so the bomb uses all processor time.
            let run = try server.run(["perl", "-e", "fork while 1", word], ["timeoutSeconds": 0.6])
            #expect(run.end == .timedOut)
            #expect(ProcessTable.running(word).isEmpty)
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `a fork bomb ends with its first process`() throws {
        try withServer { server in
            let word = Marker.word()
            // The first process does not fork after the start of the bomb. Among thousands of processes a fork could
            // fail or take arbitrarily long.
            let script = "f() { f | f & }; f; i=0; while [ $i -lt 300 ]; do i=$((i + 1)); done; exit 4"
            let run = try server.run(
                ["sh", "-c", script, word],
                ["timeoutSeconds": 60, "limits": ["processes": 8192, "memoryBytes": 16 << 30]]
            )
            #expect(run.end == .exited(4))
            #expect(ProcessTable.running(word).isEmpty)
        }
    }

    @Test func `five thousand zombies are gone at the deadline`() throws {
        try withServer { server in
            let script = "$| = 1; for (1..5000) { my $pid = fork; exit if !$pid; $n++ if $pid } print $n; sleep 600"
            let run = try server.perl(
                script,
                ["timeoutSeconds": 15, "limits": ["processes": 8192, "memoryBytes": 16 << 30]]
            )
            #expect(run.end == .timedOut)
            #expect(run.stdout.text == "5000")
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `five thousand orphans are reaped while the command runs`() throws {
        try withServer { server in
            // The slot must reap each grandchild, because its parent is gone. Otherwise the process table would fill up.
            let script = """
                for (1..5000) { my $pid = fork // die; if (!$pid) { fork; exit } waitpid $pid, 0 }
                opendir my $proc, '/proc'; my $count;
                for (1..1000) { rewinddir $proc; $count = grep /^\\d+$/, readdir $proc; last if $count <= 2;
                    select undef, undef, undef, 0.01 }
                print $count
                """
            let run = try server.perl(script, ["timeoutSeconds": 60])
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "2")
        }
    }
}
