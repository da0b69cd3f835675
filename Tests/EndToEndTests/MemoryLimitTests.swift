import Testing

/// Memory, wherever it is: the run's own limit ends the run, and nothing else of the host feels it.
@Suite(.serialized, .enabled(if: Host.hasControlGroups))
struct MemoryLimitTests {
    private static let small = ["limits": ["memoryBytes": 64 << 20]]

    @Test(
        arguments: [
            ("the heap", "my @x; push @x, 'a' x (8 << 20) while 1"),
            ("a file in /box", "open my $f, '>', '/box/f'; print $f 'a' x (1 << 20) or exit 3 for 1..200"),
            ("a file in /tmp", "open my $f, '>', '/tmp/f'; print $f 'a' x (1 << 20) or exit 3 for 1..200"),
            ("shared memory", "open my $f, '>', '/dev/shm/f'; print $f 'a' x (1 << 20) or exit 3 for 1..200"),
            (
                "a deleted file that is kept open",
                "open my $f, '>', '/tmp/f'; unlink '/tmp/f'; print $f 'a' x (1 << 20) or exit 3 for 1..200"
            ),
            (
                "a memfd",  // memfd_create(2) on x86-64
                "my $n = 'm'; my $d = syscall 319, $n, 0; open my $f, '>&=', $d; print $f 'a' x (1 << 20) for 1..200"
            ),
            (
                "System V shared memory",
                "my $i = shmget 0, 200 << 20, 01600 // exit 3; shmwrite $i, 'a' x (1 << 20), $_ << 20, 1 << 20 for 0..199"
            ),
        ] as [(String, String)]
    )
    func `a bomb of memory ends as such`(kind: String, script: String) throws {
        try withServer { server in
            let run = try server.perl(script + "; sleep 60", Self.small)
            #expect(run.end == .memoryLimit, "\(kind)")
            let peak = try #require(run.usage?.peakMemoryBytes)
            #expect(peak > 48 << 20 && peak <= 64 << 20)
            try #expect(server.shell("exit 4").end == .exited(4))
        }
    }

    @Test func `what pipes hold is the run's own memory`() throws {
        try withServer { server in
            // 250 pipes of 1 MiB each, as far as the host lets one user go.
            let script = """
                $SIG{ALRM} = sub {}; my @p; for (1..250) { pipe my $r, my $w or last; push @p, $r, $w;
                fcntl $w, 1031, 1 << 20; fcntl $w, 4, 2048; 1 while syswrite $w, 'a' x 65536 } exit 3
                """
            let limits = ["memoryBytes": 16 << 20, "openFiles": 1024]
            let run = try server.perl(script, ["limits": limits])
            // Refused without harm by the host's limit on pipes (pipe(7)), or ended by the run's own on memory.
            #expect(run.end == .memoryLimit || run.end == .exited(3))
            #expect((run.usage?.peakMemoryBytes ?? .max) <= 16 << 20)
        }
    }

    @Test func `reading files is no use of memory that ends a run`() throws {
        try withServer { server in
            let run = try server.shell("cat /usr/lib/*/*.so* >/dev/null; exit 5", Self.small)
            #expect(run.end == .exited(5))
        }
    }

    @Test func `a grandchild that runs out of memory ends the run, whatever its parents make of it`() throws {
        try withServer { server in
            let hog = "perl -e \"my @x; push @x, 'a' x (8 << 20) while 1\""
            let members: [String: Any] = ["timeoutSeconds": 60, "limits": ["memoryBytes": 64 << 20]]
            let started = try server.shell("sh -c '\(hog.replacing("'", with: "'\\''"))'; sleep 30; exit 3", members)
            #expect(started.end == .memoryLimit)
            #expect((started.usage?.wallSeconds ?? .infinity) < 20)
        }
    }

    @Test func `many processes share one limit`() throws {
        try withServer { server in
            let script = "for i in 1 2 3 4; do perl -e 'my $x = \"a\" x (12 << 20); sleep 60' & done; wait; sleep 60"
            try #expect(server.shell(script, Self.small).end == .memoryLimit)
        }
    }

    @Test func `an end before memory ran out is the command's own`() throws {
        try withServer { server in
            try #expect(server.perl("my $x = 'a' x (8 << 20); kill 9, $$", Self.small).end == .signaled("SIGKILL"))
            try #expect(server.perl("my $x = 'a' x (8 << 20); exit 137", Self.small).end == .exited(137))
        }
    }

    @Test func `a run that ran out of memory leaves no trace in the verdict of the next`() throws {
        try withServer("--concurrency", "1") { server in
            for _ in 0..<5 {
                try #expect(server.perl("my @x; push @x, 'a' x (8 << 20) while 1", Self.small).end == .memoryLimit)
                try #expect(server.shell("kill -9 $$").end == .signaled("SIGKILL"))
                try #expect(server.shell("exit 137").end == .exited(137))
            }
        }
    }

    @Test func `peak memory is the run's own and not that of the one before`() throws {
        try withServer("--concurrency", "1") { server in
            for _ in 0..<4 {
                let large = try server.perl("my $x = 'a'; $x x= 200 << 20; print length $x")
                #expect(large.stdout.text == "209715200")
                #expect((large.usage?.peakMemoryBytes ?? 0) > 200 << 20)
                for _ in 0..<3 {
                    let small = try server.shell("true")
                    #expect((small.usage?.peakMemoryBytes ?? .max) < 8 << 20)
                }
            }
        }
    }

    @Test func `limits differ from run to run of the same few slots`() throws {
        try withServer("--concurrency", "1") { server in
            let script = "my $x = 'a'; $x x= 100 << 20; print length $x"
            for _ in 0..<4 {
                try #expect(server.perl(script, Self.small).end == .memoryLimit)
                try #expect(server.perl(script, ["limits": ["memoryBytes": 300 << 20]]).end == .exited(0))
                try #expect(server.perl(script).end == .exited(0))
            }
        }
    }

    @Test func `a limit too small for the command itself is met and not an error of the service`() throws {
        try withServer { server in
            let run = try server.shell("exit 0", ["limits": ["memoryBytes": 1 << 20]])
            #expect(run.end == .memoryLimit || run.end == .exited(0))
            try #expect(server.shell("exit 6").end == .exited(6))
        }
    }

    @Test func `memory that runs out in the grace period does not change why the run was ended`() throws {
        try withServer { server in
            let script = "$SIG{TERM} = sub { my @x; push @x, 'a' x (8 << 20) while 1 }; sleep 60 while 1"
            let members: [String: Any] = [
                "timeoutSeconds": 0.3, "graceSeconds": 30, "limits": ["memoryBytes": 64 << 20],
            ]
            try #expect(server.perl(script, members).end == .timedOut)
        }
    }

    @Test func `sandglass run says that memory ran out`() throws {
        let script = "my @x; push @x, 'a' x (32 << 20) while 1"
        let run = try ChildProcess([Host.program, "run", "--", "perl", "-e", script]).finish()
        #expect(run.end == .exited(137))
        #expect(String(decoding: run.error, as: UTF8.self).contains("out of memory"))
    }
}
