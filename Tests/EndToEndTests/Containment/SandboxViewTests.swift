import Glibc
import Testing

/// The sandbox as a command sees it.
struct SandboxViewTests {
    @Test func `a command has the default environment and the run's, not the server's`() throws {
        try withServer(environment: ["SECRET": "of the server", "LD_DEBUG_OUTPUT": "/tmp/x"]) { server in
            let bare = try server.run(["env"])
            let lines = [
                "HOME=/box", "LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "TMPDIR=/tmp",
            ]
            #expect(bare.stdout.text.split(separator: "\n").map(String.init).sorted() == lines)
            let own = try server.run(["env"], ["env": ["HOME": "/tmp", "A": "b=c", "EMPTY": ""]])
            let expected = ["A=b=c", "EMPTY=", "HOME=/tmp"] + lines.dropFirst()
            #expect(own.stdout.text.split(separator: "\n").map(String.init).sorted() == expected)
            let other = try server.shell("cat /proc/*/environ | tr '\\0' '\\n' | grep -c SECRET")
            #expect(other.stdout.text == "0\n")
        }
    }

    @Test func `a command is an ordinary user and cannot gain capabilities`() throws {
        try withServer { server in
            let script = "id -u; id -g; grep -E '^(Cap|NoNewPrivs|Groups)' /proc/self/status | tr -d '\\t '"
            let lines = try server.shell(script).stdout.text.split(separator: "\n").map(String.init)
            let none = "0000000000000000"
            #expect(lines.prefix(2) == ["1000", "1000"])
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] { #expect(lines.contains("\(set):\(none)")) }
            #expect(lines.contains("NoNewPrivs:1"))
            for attempt in [
                "unshare -U true", "unshare -m true", "mount -t tmpfs x /tmp", "chroot / true", "hostname x",
            ] {
                try #expect(server.shell("\(attempt) 2>/dev/null").exitCode != 0, "\(attempt)")
            }
        }
    }

    @Test(.enabled(if: Host.isRoot))
    func `each command has its own user on the host, also among several servers`() throws {
        try withServer("--concurrency", "3") { server in
            try withServer { other in
                let nap = Marker.nap()
                let runs = try (0..<3).map { _ in try server.submit(["sleep", nap], ["timeoutSeconds": 60]) }
                let elsewhere = try other.submit(["sleep", nap], ["timeoutSeconds": 60])
                #expect(eventually { ProcessTable.running(nap).count == 4 })
                let pids = ProcessTable.running(nap)
                let users = pids.map { pid in
                    String(decoding: ProcessTable.contents("/proc/\(pid)/status") ?? [], as: UTF8.self)
                        .split(separator: "\n").first { $0.hasPrefix("Uid:") }
                }
                #expect(Set(users).count == 4)
                #expect(!users.contains { $0?.contains("\t0") ?? true })
                for pid in pids { kill(pid, SIGKILL) }
                for run in runs { _ = try server.finished(run) }
                _ = try other.finished(elsewhere)
            }
        }
    }

    @Test func `a command has only descriptors 0 to 2`() throws {
        try withServer { server in
            let script = "opendir my $d, '/proc/self/fd'; print join ' ', sort grep { /\\d/ && $_ != 3 } readdir $d"
            let run = try server.perl(script)
            #expect(run.stdout.text == "0 1 2")
        }
    }

    @Test func `a command inherits no blocked or ignored signals`() throws {
        try withServer(prefix: ["sh", "-c", "trap '' HUP INT QUIT USR1 CHLD; exec \"$@\"", "sh"]) { server in
            let script = "cat /proc/self/status | grep -E '^(SigBlk|SigIgn|SigCgt|SigPnd|ShdPnd)' | cut -f2 | sort -u"
            try #expect(server.shell(script).stdout.text == "0000000000000000\n")
        }
    }

    @Test func `a command leads its own session without a terminal`() throws {
        try withServer { server in
            let run = try server.perl("use POSIX; print getpgrp == $$ ? 1 : 0, open(my $t, '<', '/dev/tty') ? 1 : 0")
            #expect(run.stdout.text == "10")
        }
    }

    @Test func `the file system is read-only except for the run's own directories`() throws {
        try withServer { server in
            for directory in ["/", "/usr", "/usr/bin", "/etc", "/dev", "/proc", "/var", "/run"] {
                try #expect(server.shell("echo x > \(directory)/sandglass-test").exitCode != 0, "\(directory)")
            }
            let script = "for d in /box /tmp /dev/shm /var/tmp; do echo $d > $d/x && cat $d/x; done; pwd"
            try #expect(server.shell(script).stdout.text == "/box\n/tmp\n/dev/shm\n/var/tmp\n/box\n")
        }
    }

    @Test func `a run finds no file of the run before`() throws {
        try withServer("--concurrency", "1") { server in
            _ = try server.shell("touch /box/a /tmp/b /dev/shm/c; perl -e 'shmget(77, 100, 01666) // die'")
            let run = try server.shell("ls -A /box /tmp /dev/shm | grep '[abc]$'; wc -l < /proc/sysvipc/shm")
            #expect(run.stdout.text == "1\n")
        }
    }

    @Test func `a command does not see the host's own files`() throws {
        try withServer { server in
            for path in [
                "/root", "/home", "/etc/shadow", "/etc/machine-id", "/var/lib/dpkg", "/boot", "/sys/class",
                "/sys/firmware", "/sys/module", "/mnt", "/.host",
            ] {
                try #expect(server.run(["test", "-e", path]).end == .exited(1), "\(path)")
            }
            try #expect(server.run(["ls", server.directory.path]).exitCode != 0)
        }
    }

    @Test func `/proc shows only the run's own processes`() throws {
        try withServer { server in
            // The slot, the shell, ls and wc.
            let run = try server.shell("ls -d /proc/[0-9]* | wc -l; exit 0")
            #expect(Int(run.stdout.text.dropLast()).map { $0 <= 4 } == true)
        }
    }

    @Test func `a command does not see the server's command line`() throws {
        try withServer { server in
            let seen = try server.shell("cat /proc/*/cmdline | tr '\\0' ' '").stdout.text
            #expect(!seen.contains("--listen"))
        }
    }

    @Test func `a command sees the package files of the host, and none of its secrets`() throws {
        try withServer { server in
            for path in ["/etc/ssl/certs", "/etc/perl", "/etc/fonts", "/etc/profile", "/etc/alternatives"]
            where access(path, R_OK) == 0 {
                try #expect(server.run(["test", "-r", path]).end == .exited(0), "\(path)")
            }
            let keys =
                "grep -rlE '^-----BEGIN .*PRIVATE KEY' /etc /var/lib 2>/dev/null; find /etc /var -name '*.key' -o -name '*shadow*'"
            try #expect(server.shell(keys).stdout.text == "")
        }
    }

    @Test(
        .needs("perl"),
        arguments: [
            ("Rscript", "-e", "cat(length(rnorm(10)))", "10"),
            ("php", "-r", "echo mb_strlen(\"\u{E4}\");", "1"),
            ("python3", "-c", "import matplotlib; print(1)", "1\n"),
        ]
    )
    func `a program finds the files of its package`(
        program: String,
        flag: String,
        script: String,
        output: String
    ) throws {
        let probe = try ChildProcess(["sh", "-c", "\(program) \(flag) '\(script)'"]).finish()
        // Not installed here, or without that package.
        guard probe.end == .exited(0) else { return }
        try withServer { server in
            let run = try server.run([program, flag, script], ["timeoutSeconds": 60])
            #expect(run.stdout.text == output, "\(run.stderr.text)")
        }
    }

    @Test func `a command has no network`() throws {
        try withServer { server in
            let run = try server.shell(
                "grep -c : /proc/net/dev; grep -c . /proc/net/if_inet6; tail -n +2 /proc/net/route; hostname"
            )
            // Only ::1 of the loopback interface.
            #expect(run.stdout.text == "1\n1\nsandglass\n")
            let connect =
                "use Socket; socket my $s, PF_INET, SOCK_STREAM, 0; "
                + "exit connect($s, sockaddr_in(\(server.port), inet_aton('127.0.0.1'))) ? 1 : 0"
            try #expect(server.perl(connect).end == .exited(0))
        }
    }

    @Test func `a command can neither signal nor trace its slot`() throws {
        try withServer { server in
            try #expect(server.shell("kill -9 1; exit 3").end == .exited(3))
            try #expect(server.shell("kill -STOP 1; exit 4").end == .exited(4))
            try #expect(server.shell("cat /proc/1/environ /proc/1/maps; ls /proc/1/fd").stdout.bytes == 0)
        }
    }
}

/// `/proc` and `/dev` inside the sandbox.
///
/// The same attempts succeed for root outside, which shows that they prove something.
struct ProcTests {
    @Test func `no file of /proc can be written`() throws {
        let paths = [
            "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/proc/self/comm",
            "/proc/self/oom_score_adj", "/proc/self/uid_map", "/proc/sysrq-trigger", "/proc/1/oom_score_adj",
        ]
        try withServer { server in
            for path in paths {
                // Root may open these files, and opening them changes nothing.
                if Host.isRoot, !path.hasSuffix("uid_map"), access(path, F_OK) == 0 {
                    let outside = try ChildProcess(["sh", "-c", ": >> \(path)"]).finish()
                    #expect(outside.end == .exited(0), "\(path): the attempt must succeed outside")
                }
                try #expect(server.shell(": >> \(path)").exitCode != 0, "\(path)")
            }
        }
    }

    @Test func `every file of /proc refuses to be opened for writing`() throws {
        try withServer { server in
            // Masked files are covered by devices, which discard all writes. The test skips them.
            let script = """
                use File::Find; my $n = 0; find({ no_chdir => 1, wanted => sub { return if ! -f $_ || -l $_; $n++; \
                if (open my $f, '>>', $_) { print "$_\\n" } } }, '/proc/sys', '/proc/self', '/proc/1'); \
                print $n > 500 ? 'many' : $n
                """
            let run = try server.perl(script, ["timeoutSeconds": 30])
            #expect(run.stdout.text == "many")
        }
    }

    @Test func `files of /proc about the host are empty`() throws {
        try withServer { server in
            for name in [
                "cmdline", "config.gz", "diskstats", "interrupts", "kallsyms", "kcore", "keys", "kmsg", "modules",
                "partitions",
                "softirqs", "timer_list",
            ] {
                try #expect(server.shell("cat /proc/\(name) 2>/dev/null").stdout.text == "", "\(name)")
            }
        }
    }

    @Test func `/proc has content only where programs may need it`() throws {
        try withServer { server in
            let script = """
                cd /proc; for f in *; do case $f in [0-9]*) continue;; esac
                    if [ -d $f ]; then [ "$(ls $f 2>/dev/null)" ] && echo $f; else [ "$(head -c 1 $f 2>/dev/null)" ] && echo $f; fi
                done; exit 0
                """
            let known: Set = [
                "buddyinfo", "cgroups", "consoles", "cpuinfo", "crypto", "devices", "dma", "execdomains", "fb",
                "filesystems", "iomem", "ioports", "loadavg", "locks", "mdstat", "meminfo", "misc", "mounts", "mtrr",
                "net",
                "pressure", "schedstat", "self", "stat", "swaps", "sys", "sysvipc", "thread-self", "tty", "uptime",
                "version", "vmstat", "zoneinfo",
            ]
            let shown = try server.shell(script).stdout.text.split(separator: "\n").map(String.init)
            #expect(Set(shown).subtracting(known).isEmpty, "\(Set(shown).subtracting(known))")
        }
    }

    @Test func `/proc/swaps names no swap file`() throws {
        try withServer { server in
            try #expect(!server.shell("cat /proc/swaps").stdout.text.contains("/"))
        }
    }

    @Test func `directories of /proc about the host are empty`() throws {
        try withServer { server in
            for name in ["acpi", "asound", "bus", "driver", "fs", "irq", "scsi"] {
                try #expect(server.shell("ls -A /proc/\(name) 2>/dev/null").stdout.text == "", "\(name)")
            }
        }
    }

    @Test func `the mounts name no path of the host`() throws {
        try withServer { server in
            let roots = try server.shell("cut -d ' ' -f 4 /proc/self/mountinfo").stdout.text.split(separator: "\n")
            let known: Set = [
                "/", "/usr", "/box", "/shm", "/tmp", "/mqueue", "/null", "/devices/system/cpu", "/devices/system/node",
                "/kernel/mm/transparent_hugepage",
            ]
            #expect(
                roots.allSatisfy { root in
                    known.contains(String(root))
                        || ["/etc/", "/var/lib/", "/lib", "/bin", "/sbin"].contains { root.hasPrefix($0) }
                        || ["/full", "/random", "/urandom", "/zero"].contains(root)
                },
                "\(roots)"
            )
        }
    }

    @Test func `there are exactly five devices and those of terminals`() throws {
        try withServer { server in
            // Tests each file itself, because directory entries call the mount points of devices regular files.
            let script = """
                use File::Find; find({ no_chdir => 1, wanted => sub { if (m{^/(proc|usr)$}) { $File::Find::prune = 1 } \
                elsif (!-l && (-b || -c)) { push @found, $_ } } }, '/'); print map { "$_\\n" } sort @found
                """
            let devices = ["full", "null", "pts/ptmx", "random", "tty", "urandom", "zero"].map { "/dev/\($0)\n" }
                .joined()
            try #expect(server.perl(script).stdout.text == devices)
        }
    }

    @Test(arguments: ["/box", "/tmp", "/dev/shm", "/dev"])
    func `no device can be created`(directory: String) throws {
        if Host.isRoot {
            let scratch = try TemporaryDirectory()
            let outside = try ChildProcess(["mknod", scratch.path + "/null", "c", "1", "3"]).finish()
            #expect(outside.end == .exited(0), "the attempt must succeed outside")
        }
        try withServer { server in
            try #expect(server.run(["mknod", directory + "/disk", "b", "254", "0"]).exitCode == 1)
            try #expect(server.run(["mknod", directory + "/null", "c", "1", "3"]).exitCode == 1)
        }
    }
}
