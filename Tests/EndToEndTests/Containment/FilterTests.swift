import Testing

/// System call filters of commands themselves (seccomp(2)).
struct FilterTests {
    /// Installs a filter that lets getppid(2) fail with ENOSYS, and calls it.
    private static let script = """
        my $filter = pack '(SCCL)*', 0x20, 0, 0, 0, 0x15, 0, 1, 110, 6, 0, 0, 0x50026, 6, 0, 0, 0x7fff0000;
        my $program = pack 'Sx6P', 4, $filter;
        syscall(157, 38, 1, 0, 0, 0) == 0 or die $!;
        for my $call (sub { syscall(317, 1, 0, $program) }, sub { syscall(157, 22, 2, $program) }) {
            print $call->() == 0 ? 'installed' : $! + 0, ' ';
        }
        print syscall(110) == -1 ? 'filtered' : 'free';
        """

    @Test(.needs("perl")) func `a command can install no filter, as on a kernel without them`() throws {
        try withServer { server in
            let run = try server.run(["perl", "-e", Self.script])
            #expect(run.stdout.text == "38 22 free", "\(run.stderr.text)")
            #expect(run.enforcement["filters"] == nil)
        }
    }

    @Test(.needs("perl")) func `with --allow-seccomp a command can, and the receipt says so`() throws {
        try withServer("--allow-seccomp", "--concurrency", "1") { server in
            let run = try server.run(["perl", "-e", Self.script])
            #expect(run.stdout.text == "installed installed filtered", "\(run.stderr.text)")
            #expect(run.enforcement["filters"] == "none")
            // The next run in the slot is free of it.
            let next = try server.run(["perl", "-e", "print syscall(110) == -1 ? 'filtered' : 'free'"])
            #expect(next.stdout.text == "free")
        }
    }

    @Test func `a slot installs no filter, so that it does not depend on memory for one`() throws {
        try withServer { server in
            // The launcher's own is the only one.
            let run = try server.run(["grep", "-s", "Seccomp", "/proc/self/status"])
            #expect(run.stdout.text == "Seccomp:\t2\nSeccomp_filters:\t1\n")
        }
    }
}
