import Testing

/// Commands that make as many processes as they can.
@Suite(.serialized)
struct BombTests {
    @Test func `a fork bomb is over at its deadline`() throws {
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

    @Test func `a fork bomb within the usual limits is over at its deadline, with the machine busy or not`() throws {
        try withServer { server in
            let word = Marker.word()
            // More processes than processors, each on one of its own: all the time that there is, and no more.
            let run = try server.run(["perl", "-e", "fork while 1", word], ["timeoutSeconds": 0.6])
            #expect(run.end == .timedOut)
            #expect(ProcessTable.running(word).isEmpty)
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `a fork bomb whose first process ends is over with it`() throws {
        try withServer { server in
            let word = Marker.word()
            // The first process forks no more after the bomb has started: among thousands of others that could fail, or
            // take as long as they like.
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
            // Each grandchild's parent is gone: it is the slot's to reap, or the table of processes would fill up.
            let script = """
                for (1..5000) { my $pid = fork // die; if (!$pid) { fork; exit } waitpid $pid, 0 }
                opendir my $proc, '/proc'; my $left;
                for (1..1000) { rewinddir $proc; $left = grep /^\\d+$/, readdir $proc; last if $left <= 2;
                    select undef, undef, undef, 0.01 }
                print $left
                """
            let run = try server.perl(script, ["timeoutSeconds": 60])
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "2")
        }
    }
}
