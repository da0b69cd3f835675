import Glibc
import Testing

/// What a command sees and may do in `/proc` and `/dev`.
///
/// Root outside is the control: there the same probe succeeds.
struct ProcTests {
    @Test(arguments: [
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/proc/self/comm",
        "/proc/self/oom_score_adj", "/proc/self/uid_map", "/proc/sysrq-trigger", "/proc/1/oom_score_adj",
    ])
    func `nothing in proc can be written`(path: String) throws {
        // Opening changes nothing, and root may.
        if Host.isRoot, !path.hasSuffix("uid_map"), access(path, F_OK) == 0 {
            try #expect(ChildProcess(["sh", "-c", ": >> \(path)"]).finish().end == .exited(0), "a vacuous probe")
        }
        try withServer { server in
            try #expect(server.shell(": >> \(path)").exitCode != 0)
        }
    }

    @Test func `every file of proc is refused for writing, whoever its owner is`() throws {
        try withServer { server in
            // Devices that stand on masked files take everything and keep nothing.
            let script = """
                use File::Find; my $n = 0; find({ no_chdir => 1, wanted => sub { return if ! -f $_ || -l $_; $n++; \
                if (open my $f, '>>', $_) { print "$_\\n" } } }, '/proc/sys', '/proc/self', '/proc/1'); \
                print $n > 500 ? 'many' : $n
                """
            let run = try server.perl(script, ["timeoutSeconds": 30])
            #expect(run.stdout.text == "many")
        }
    }

    @Test(arguments: ["cmdline", "interrupts", "kallsyms", "kcore", "kmsg", "timer_list", "keys", "modules"])
    func `files that tell of the host show nothing`(name: String) throws {
        try withServer { server in
            try #expect(server.shell("cat /proc/\(name) 2>/dev/null").stdout.text == "")
        }
    }

    @Test func `no swap file's name is shown`() throws {
        try withServer { server in
            try #expect(!server.shell("cat /proc/swaps").stdout.text.contains("/"))
        }
    }

    @Test(arguments: ["acpi", "asound", "bus", "driver", "fs", "scsi"])
    func `folders that tell of the host show nothing`(name: String) throws {
        try withServer { server in
            try #expect(server.shell("ls -A /proc/\(name) 2>/dev/null").stdout.text == "")
        }
    }

    @Test func `no path of the host stands among the mounts`() throws {
        try withServer { server in
            let roots = try server.shell("cut -d ' ' -f 4 /proc/self/mountinfo").stdout.text.split(separator: "\n")
            let known: Set = ["/", "/usr", "/box", "/shm", "/tmp", "/mqueue", "/null"]
            #expect(
                roots.allSatisfy { root in
                    known.contains(String(root)) || ["/etc/", "/lib", "/bin", "/sbin"].contains { root.hasPrefix($0) }
                        || ["/full", "/random", "/urandom", "/zero"].contains(root)
                },
                "\(roots)"
            )
        }
    }

    @Test func `there are five devices and no other`() throws {
        try withServer { server in
            // Asks each file itself: a folder still says that what a device is mounted on is a file.
            let script = """
                use File::Find; find({ no_chdir => 1, wanted => sub { if (m{^/(proc|usr)$}) { $File::Find::prune = 1 } \
                elsif (!-l && (-b || -c)) { push @found, $_ } } }, '/'); print map { "$_\\n" } sort @found
                """
            let devices = ["full", "null", "random", "urandom", "zero"].map { "/dev/\($0)\n" }.joined()
            try #expect(server.perl(script).stdout.text == devices)
        }
    }

    @Test(arguments: ["/box", "/tmp", "/dev/shm", "/dev"])
    func `no device can be made`(folder: String) throws {
        if Host.isRoot {
            let scratch = try TemporaryFolder()
            let made = try ChildProcess(["mknod", scratch.path + "/null", "c", "1", "3"]).finish()
            #expect(made.end == .exited(0), "a vacuous probe")
        }
        try withServer { server in
            try #expect(server.run(["mknod", folder + "/disk", "b", "254", "0"]).exitCode == 1)
            try #expect(server.run(["mknod", folder + "/null", "c", "1", "3"]).exitCode == 1)
        }
    }
}
