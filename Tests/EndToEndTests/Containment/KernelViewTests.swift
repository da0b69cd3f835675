import Glibc
import Testing

/// The control groups and the parts of `/sys` that a command sees.
struct KernelViewTests {
    private static let needsGroups = ConditionTrait.enabled(if: Host.hasControlGroups)

    @Test(needsGroups) func `a command reads its own limits from its own control group`() throws {
        try withServer { server in
            let limits = ["memoryBytes": 300 << 20, "processes": 40]
            let script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max"
            // The group also counts the slot and its zygote.
            try #expect(server.shell(script, ["limits": limits]).stdout.text == "\(300 << 20)\n42\n")
            try #expect(server.shell(script).stdout.text == "\(512 << 20)\n514\n")
        }
    }

    @Test(needsGroups) func `a command sees no group but its own`() throws {
        let image = try ImageDirectory("plain")
        try withServer("--image", "plain=\(image.path)", "--concurrency", "4") { server in
            for cpus in [0.5, 1.5] {
                _ = try server.submit(["sleep", "1000"], ["limits": ["cpus": cpus], "timeoutSeconds": 600])
            }
            let script = """
                cd /sys/fs/cgroup; for d in */*/; do [ -d $d ] && echo $d; done; cut -d : -f 3 /proc/self/cgroup | sort -u; \
                while read -r a b c root d e f g type h; do case $type in cgroup*) echo $root;; esac; done < /proc/self/mountinfo
                for f in */cgroup.procs; do while read pid; do [ -d /proc/$pid ] || echo $pid; done < $f; done; exit 0
                """
            for options: [String: Any] in [[:], ["limits": ["cpus": 1]], ["image": "plain"]] {
                let run = try server.run(["sh", "-c", script], options)
                #expect(Set(run.stdout.text.split(separator: "\n")) == ["/"], "\(options): \(run.stderr.text)")
            }
        }
    }

    @Test(needsGroups) func `a command with cpus finds its quota, and the next one in its slot finds none`() throws {
        try withServer("--concurrency", "1") { server in
            let quota = ["cat", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"]
            try #expect(server.run(quota, ["limits": ["cpus": 1.5]]).stdout.text == "150000\n")
            try #expect(server.run(quota).stdout.text == "-1\n")
            try #expect(server.run(quota, ["limits": ["cpus": 0.2]]).stdout.text == "20000\n")
        }
    }

    @Test(.needs("perl")) func `nothing of /sys can be written`() throws {
        try withServer { server in
            let script = """
                perl -MFile::Find -e 'find({no_chdir => 1, wanted => sub {
                    $seen++;
                    print "$_ made\\n" if -d && !-l && mkdir "$_/made";
                    if (-f && !-l) { for my $mode (">>", "+<") { if (open my $f, $mode, $_) { print "$_ opened\\n" } } }
                }}, "/sys"); print $seen > 50 ? "all refused" : "too few"'
                """
            try #expect(server.shell(script).stdout.text == "all refused")
            try #expect(server.shell(script, ["limits": ["cpus": 1]]).stdout.text == "all refused")
        }
    }

    @Test func `of /sys a command sees processors, memory nodes and huge pages, and nothing else of the host`() throws {
        let image = try ImageDirectory("plain")
        try withServer("--image", "plain=\(image.path)") { server in
            let script = """
                for d in /sys /sys/devices /sys/devices/system /sys/kernel /sys/kernel/mm /sys/fs; do
                    for f in $d/*; do echo $f; done; done; cat /sys/devices/system/cpu/online
                """
            let online = try #require(ProcessTable.contents("/sys/devices/system/cpu/online"))
            let expected: Set = [
                "/sys/devices", "/sys/fs", "/sys/kernel", "/sys/devices/system", "/sys/devices/system/cpu",
                "/sys/devices/system/node", "/sys/kernel/mm", "/sys/kernel/mm/transparent_hugepage", "/sys/fs/cgroup",
                String(decoding: online.dropLast(), as: UTF8.self),
            ]
            for options: [String: Any] in [[:], ["image": "plain"]] {
                let seen = try server.run(["sh", "-c", script], options).stdout.text.split(separator: "\n")
                #expect(Set(seen.map(String.init)) == expected, "\(options)")
            }
        }
    }

    @Test(needsGroups, .needs("java")) func `a Java program that leaves garbage stays within its memory limit`() throws
    {
        let program = """
            public class G {
                public static void main(String[] a) {
                    long n = 0;
                    for (int i = 0; i < 6000; i++) n += new byte[1 << 20].length;
                    Runtime r = Runtime.getRuntime();
                    System.out.println(n + " " + r.availableProcessors() + " " + (r.maxMemory() <= 128 << 20));
                }
            }
            """
        try withServer { server in
            let run = try server.run(
                ["java", "G.java"],
                ["files": ["G.java": program], "limits": ["cpus": 1], "timeoutSeconds": 60]
            )
            #expect(run.end == .exited(0), "\(run.stderr.text)")
            #expect(run.stdout.text == "\(6000 << 20) 1 true\n")
        }
    }

    @Test(needsGroups, .needs("node")) func `Node finds the memory limit`() throws {
        try withServer { server in
            let run = try server.run(["node", "-p", "process.constrainedMemory()"])
            #expect(run.stdout.text == "\(512 << 20)\n")
        }
    }

    @Test(.needs("lscpu"), .needs("python3")) func `lscpu and Python count the processors`() throws {
        try withServer { server in
            let count = sysconf(Int32(_SC_NPROCESSORS_ONLN))
            let run = try server.shell("lscpu -p=CPU | grep -vc '#'; python3 -c 'import os; print(os.cpu_count())'")
            #expect(run.stdout.text == "\(count)\n\(count)\n", "\(run.stderr.text)")
        }
    }

    @Test(needsGroups) func `the group that runs share ends with the server`() throws {
        try withServer { server in
            _ = try server.shell("true")
            let shared = ProcessTable.cgroups(of: server.pid).filter { $0.hasSuffix("/runs") }
            #expect(!shared.isEmpty)
            try server.stop()
            #expect(shared.allSatisfy { access($0, F_OK) != 0 })
        }
    }
}
