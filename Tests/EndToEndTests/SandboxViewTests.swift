import Glibc
import Testing

/// What a command sees of the machine, and what it may do there.
struct SandboxViewTests {
    @Test func `the environment is the contract's and the run's, and nothing of the server's`() throws {
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

    @Test func `a command is an ordinary user without capabilities and cannot get any`() throws {
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
    func `on the host each command is a user of its own, other servers' commands included`() throws {
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

    @Test func `a command has descriptors zero to two and nothing else`() throws {
        try withServer { server in
            let script = "opendir my $d, '/proc/self/fd'; print join ' ', sort grep { /\\d/ && $_ != 3 } readdir $d"
            let run = try server.perl(script)
            #expect(run.stdout.text == "0 1 2")
        }
    }

    @Test func `signals are as a login shell would have them`() throws {
        try withServer(prefix: ["sh", "-c", "trap '' HUP INT QUIT USR1 CHLD; exec \"$@\"", "sh"]) { server in
            let script = "cat /proc/self/status | grep -E '^(SigBlk|SigIgn|SigCgt|SigPnd|ShdPnd)' | cut -f2 | sort -u"
            try #expect(server.shell(script).stdout.text == "0000000000000000\n")
        }
    }

    @Test func `a command leads a session of its own without a terminal`() throws {
        try withServer { server in
            let run = try server.perl("use POSIX; print getpgrp == $$ ? 1 : 0, open(my $t, '<', '/dev/tty') ? 1 : 0")
            #expect(run.stdout.text == "10")
        }
    }

    @Test func `the file system is read-only but for the run's own folders`() throws {
        try withServer { server in
            for folder in ["/", "/usr", "/usr/bin", "/etc", "/dev", "/proc", "/var", "/run"] {
                try #expect(server.shell("echo x > \(folder)/sandglass-test").exitCode != 0, "\(folder)")
            }
            let script = "for d in /box /tmp /dev/shm /var/tmp; do echo $d > $d/x && cat $d/x; done; pwd"
            try #expect(server.shell(script).stdout.text == "/box\n/tmp\n/dev/shm\n/var/tmp\n/box\n")
        }
    }

    @Test func `nothing of one run is there in the next`() throws {
        try withServer("--concurrency", "1") { server in
            _ = try server.shell("touch /box/a /tmp/b /dev/shm/c; perl -e 'shmget(77, 100, 01666) // die'")
            let run = try server.shell("ls -A /box /tmp /dev/shm | grep '[abc]$'; wc -l < /proc/sysvipc/shm")
            #expect(run.stdout.text == "1\n")
        }
    }

    @Test func `the host's own files are not there`() throws {
        try withServer { server in
            for path in [
                "/root", "/home", "/etc/shadow", "/etc/machine-id", "/var/lib", "/boot", "/sys", "/mnt", "/.host",
            ] {
                try #expect(server.run(["test", "-e", path]).end == .exited(1), "\(path)")
            }
            try #expect(server.run(["ls", server.folder.path]).exitCode != 0)
        }
    }

    @Test func `proc shows the run's own processes alone`() throws {
        try withServer { server in
            // The slot, the shell, ls and nothing else.
            let run = try server.shell("ls -d /proc/[0-9]* | wc -l; exit 0")
            #expect(Int(run.stdout.text.dropLast()).map { $0 <= 4 } == true)
        }
    }

    @Test func `the server's command line is not for commands to see`() throws {
        try withServer { server in
            let seen = try server.shell("cat /proc/*/cmdline | tr '\\0' ' '").stdout.text
            #expect(!seen.contains("--listen"))
        }
    }

    @Test func `there is no network`() throws {
        try withServer { server in
            let run = try server.shell(
                "grep -c : /proc/net/dev; grep -c . /proc/net/if_inet6; tail -n +2 /proc/net/route; hostname"
            )
            #expect(run.stdout.text == "1\n0\nsandglass\n")
            let connect =
                "use Socket; socket my $s, PF_INET, SOCK_STREAM, 0; "
                + "exit connect($s, sockaddr_in(\(server.port), inet_aton('127.0.0.1'))) ? 1 : 0"
            try #expect(server.perl(connect).end == .exited(0))
        }
    }

    @Test func `a command may not signal or trace its slot`() throws {
        try withServer { server in
            try #expect(server.shell("kill -9 1; exit 3").end == .exited(3))
            try #expect(server.shell("kill -STOP 1; exit 4").end == .exited(4))
            try #expect(server.shell("cat /proc/1/environ /proc/1/maps; ls /proc/1/fd").stdout.bytes == 0)
        }
    }
}
