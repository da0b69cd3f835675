import Foundation
import Glibc
import TestSupport
import Testing

/// The limits of CPU time, processes, disk and descriptors.
@Suite(.serialized)
struct LimitTests {
    @Test func `a run reports its limits and their enforcement`() throws {
        try withServer { server in
            try #expect(server.shell("true").limits == RunDocument.Limits())
            let asked = [
                "cpuSeconds": 1.5, "memoryBytes": 99 << 20, "processes": 9, "diskBytes": 8192, "openFiles": 77,
            ]
            let run = try server.shell("true", ["timeoutSeconds": 3, "limits": asked])
            let limits = RunDocument.Limits(
                timeoutSeconds: 3,
                cpuSeconds: 1.5,
                memoryBytes: 99 << 20,
                processes: 9,
                diskBytes: 8192,
                openFiles: 77
            )
            #expect(run.limits == limits)
            let means = Host.hasControlGroups ? "cgroup1" : "rlimit"
            #expect(run.enforcement["cpu"] == means)
            #expect(run.enforcement["processes"] == means)
            #expect(run.enforcement["memory"] == (Host.hasControlGroups ? "cgroup1" : "none"))
        }
    }

    // MARK: Processors

    /// The mount point of the cpu controller; nil on a host without it.
    private static let controllerPath: String? = {
        let mounts = (try? String(contentsOfFile: "/proc/mounts", encoding: .utf8)) ?? ""
        let fields = mounts.split(separator: "\n").map { $0.split(separator: " ") }
        return fields.first { $0[2] == "cgroup" && $0[3].split(separator: ",").contains("cpu") }.map { String($0[1]) }
    }()

    /// The directory of a process's group in the hierarchy of the cpu controller.
    private func quotaGroup(of pid: pid_t) throws -> String {
        let lines = try String(contentsOfFile: "/proc/\(pid)/cgroup", encoding: .utf8).split(separator: "\n")
        let line = lines.first { $0.split(separator: ":")[1].split(separator: ",").contains("cpu") }
        return try #require(Self.controllerPath) + (line?.split(separator: ":").last ?? "")
    }

    /// The quota of a process in microseconds per 100 ms; -1 for none.
    private func quota(of pid: pid_t) throws -> Int {
        let text = ProcessTable.contents(try quotaGroup(of: pid) + "/cpu.cfs_quota_us")
        return text.flatMap { Int(String(decoding: $0.dropLast(), as: UTF8.self)) } ?? -1
    }

    @Test(.enabled(if: Host.hasControlGroups && Self.controllerPath != nil))
    func `cpus limits the processors that all processes use together`() throws {
        try withServer("--concurrency", "1") { server in
            let script = "i=0; while [ $i -lt 3 ]; do (while :; do :; done) & i=$((i + 1)); done; wait"
            let run = try server.shell(script, ["limits": ["cpus": 0.3], "timeoutSeconds": 2])
            #expect(run.end == .timedOut)
            #expect(run.limits.cpus == 0.3)
            #expect(run.enforcement["cpus"] == "cgroup1")
            // Neither the group's name nor the server's is visible.
            let groups = try server.run(["cat", "/proc/self/cgroup"], ["limits": ["cpus": 1.5]])
            #expect(
                groups.stdout.text.split(separator: "\n").allSatisfy { $0.hasSuffix(":/") },
                "\(groups.stdout.text)"
            )
            // The quota of one period more, for the one that the end interrupts.
            let wall = try #require(run.usage?.wallSeconds)
            #expect(used(run) <= 0.3 * (wall + 0.1) + 0.03)
            // The next run in the same slot has no such limit, and neither has one whose limit is above the processors.
            let nap = Marker.nap()
            let free = try server.submit(["sleep", nap], ["timeoutSeconds": 600])
            try #require(eventually { !ProcessTable.running(nap).isEmpty })
            #expect(try quota(of: #require(ProcessTable.running(nap).first)) == -1)
            try #expect(server.send("POST", "/runs/\(free.id)/cancel").status == 202)
            let plain = try server.finished(free)
            #expect(plain.limits.cpus == nil && plain.enforcement["cpus"] == nil)
            #expect(try server.shell("true", ["limits": ["cpus": 1000]]).end == .exited(0))
        }
    }

    @Test(.enabled(if: Host.hasControlGroups && Self.controllerPath != nil))
    func `each run with cpus has a group of its own, which ends with the server`() throws {
        try withServer { server in
            let naps = [Marker.nap(), Marker.nap()]
            for (nap, cpus) in zip(naps, [0.5, 1.5]) {
                _ = try server.submit(["sleep", nap], ["limits": ["cpus": cpus], "timeoutSeconds": 600])
            }
            var groups: [String] = []
            for (nap, microseconds) in zip(naps, [50_000, 150_000]) {
                try #require(eventually { !ProcessTable.running(nap).isEmpty })
                let pid = try #require(ProcessTable.running(nap).first)
                groups.append(try quotaGroup(of: pid))
                #expect(try quota(of: pid) == microseconds)
            }
            #expect(groups[0] != groups[1])
            try server.stop()
            #expect(groups.allSatisfy { access($0, F_OK) != 0 })
        }
    }

    @Test func `a maximum of cpus is the default of every run`() throws {
        try withServer("--max-cpus", "1.5") { server in
            #expect(try server.shell("true").limits.cpus == 1.5)
            #expect(try server.shell("true", ["limits": ["cpus": 0.1]]).limits.cpus == 0.1)
            for body in ["2", "null", "0.05"] {
                let response = try server.post(#"{"command": ["true"], "limits": {"cpus": \#(body)}}"#)
                #expect(response.status == 422, "\(body)")
                #expect(try response.problem().errors?.map(\.pointer) == ["/limits/cpus"])
            }
        }
        try withServer { server in
            let response = try server.post(#"{"command": ["true"], "limits": {"cpus": null}}"#, query: "?wait=60")
            #expect(try response.run().limits.cpus == nil)
        }
    }

    @Test func `one busy process reaches its CPU time limit`() throws {
        try withServer { server in
            let run = try server.shell("while :; do :; done", ["limits": ["cpuSeconds": 0.5], "timeoutSeconds": 30])
            #expect(run.end == .cpuLimit)
            #expect(used(run) >= 0.5)
            #expect(used(run) < 1)
        }
    }

    @Test(.enabled(if: Host.hasControlGroups))
    func `processes reach their CPU time limit together`() throws {
        try withServer { server in
            let script = "for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; wait"
            let run = try server.shell(script, ["limits": ["cpuSeconds": 1], "timeoutSeconds": 30])
            #expect(run.end == .cpuLimit)
            #expect(used(run) >= 1)
        }
    }

    @Test(.enabled(if: Host.hasControlGroups))
    func `short-lived processes reach their CPU time limit together`() throws {
        try withServer { server in
            let script = "while :; do (i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done); done"
            let run = try server.shell(script, ["limits": ["cpuSeconds": 0.7], "timeoutSeconds": 30])
            #expect(run.end == .cpuLimit)
        }
    }

    @Test(.enabled(if: Host.hasControlGroups), arguments: ["XCPU", "KILL"])
    func `a signal near the limit is not taken for the limit`(signal: String) throws {
        try withServer { server in
            let script = "1 while (times)[0] + (times)[1] < 2.8; kill '\(signal)', $$; sleep 5"
            let run = try server.perl(script, ["limits": ["cpuSeconds": 3], "timeoutSeconds": 60])
            #expect(run.end == .signaled("SIG\(signal)"))
        }
    }

    @Test func `sleeping uses no CPU time`() throws {
        try withServer { server in
            try #expect(server.shell("sleep 1; exit 8", ["limits": ["cpuSeconds": 0.2]]).end == .exited(8))
        }
    }

    @Test func `the deadline ends a run before its CPU time limit`() throws {
        try withServer { server in
            let run = try server.shell("while :; do :; done", ["limits": ["cpuSeconds": 30], "timeoutSeconds": 0.3])
            #expect(run.end == .timedOut)
        }
    }

    @Test func `CPU time does not include the run before`() throws {
        try withServer("--concurrency", "1") { server in
            for _ in 0..<3 {
                let busy = try server.shell("i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done")
                #expect(used(busy) > 0.05)
                for _ in 0..<3 { try #expect(used(server.shell("true")) < 0.05) }
            }
        }
    }

    @Test(arguments: [1, 5, 20])
    func `a run has at most its limit of processes`(count: Int) throws {
        try withServer { server in
            let script = "my $n = 1; while (defined(my $p = fork)) { if (!$p) { sleep 60; exit } $n++ } print \"$n $!\""
            let run = try server.perl(script, ["limits": ["processes": count]])
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "\(count) Resource temporarily unavailable")
        }
    }

    @Test(arguments: [
        "f() { f & f & wait; }; f",
        "while :; do sleep 60 & done 2>/dev/null; sleep 60",
    ])
    func `a fork bomb reaches its process limit and ends at its deadline`(script: String) throws {
        try withServer { server in
            let run = try server.shell("(\(script)) & exec sleep 60", ["timeoutSeconds": 1])
            #expect(run.end == .timedOut)
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `threads count as processes`() throws {
        try withServer { server in
            let script = """
                import threading, time
                n = 1
                try:
                    while True:
                        threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); n += 1
                except RuntimeError:
                    print(n, flush=True)
                import os; os._exit(0)
                """
            let run = try server.run(["python3", "-c", script], ["limits": ["processes": 12]])
            #expect(run.stdout.text == "12\n")
        }
    }

    @Test(arguments: ["/box", "/tmp", "/dev/shm"])
    func `a write beyond the disk limit fails with ENOSPC`(directory: String) throws {
        try withServer { server in
            let script = "head -c 9M /dev/zero >\(directory)/x || exit 9; exit 0"
            let run = try server.shell(script, ["limits": ["diskBytes": 8 << 20]])
            #expect(run.end == .exited(9))
            #expect(run.stderr.text.contains("No space left on device"))
            try #expect(server.shell(script).end == .exited(0))
        }
    }

    @Test func `all writable directories share one disk limit`() throws {
        try withServer { server in
            let script = "for f in /box /tmp /dev/shm; do head -c 3M /dev/zero >$f/x || echo $f; done 2>/dev/null"
            try #expect(server.shell(script, ["limits": ["diskBytes": 8 << 20]]).stdout.text == "/dev/shm\n")
        }
    }

    @Test func `the number of files is limited`() throws {
        try withServer { server in
            let script =
                "my $n = 0; while (open my $f, '>', \"/tmp/$n\") { $n++ } print \"$!\"; exit($n > 60000 ? 0 : 1)"
            let run = try server.perl(script, ["timeoutSeconds": 60])
            #expect(run.stdout.text == "No space left on device")
            #expect(run.end == .exited(0))
        }
    }

    @Test func `the writable directories keep their owners, modes and attributes`() throws {
        try withServer { server in
            let script = """
                stat -c '%u %g %a' /box /tmp /dev/shm; cp /bin/true /dev/shm/t; /dev/shm/t 2>/dev/null || echo noexec
                cp /bin/true /box/t; /box/t && echo exec
                """
            try #expect(
                server.shell(script).stdout.text == "1000 1000 755\n1000 1000 1777\n1000 1000 1777\nnoexec\nexec\n"
            )
        }
    }

    @Test func `a process has at most its limit of descriptors`() throws {
        try withServer { server in
            let script = "my @f; while (open my $f, '<', '/dev/null') { push @f, $f } print @f + 3"
            try #expect(server.perl(script, ["limits": ["openFiles": 33]]).stdout.text == "33")
        }
    }

    @Test func `no core is dumped and no limit can be raised`() throws {
        try withServer { server in
            let script =
                "ulimit -c; ulimit -l; ulimit -n 4096 2>/dev/null || echo no; ulimit -c 1 2>/dev/null || echo no"
            try #expect(server.run(["bash", "-c", script]).stdout.text == "0\n64\nno\nno\n")
        }
    }

    @Test func `files are limited by the file system and by memory, not by their length`() throws {
        try withServer { server in
            let script = """
                truncate -s 10G sparse && stat -c %s sparse
                fallocate -l 300M reserved 2>&1 | grep -o 'No space left on device'
                head -c 300M /dev/zero 2>/dev/null >written || stat -c %s written
                rm reserved written
                ulimit -f; ulimit -Hf
                """
            let run = try server.run(["bash", "-c", script], ["timeoutSeconds": 60])
            #expect(run.stdout.text == "10737418240\nNo space left on device\n268435456\nunlimited\nunlimited\n")
            #expect(run.end == .exited(0))
            let memory = "import os; f = os.memfd_create('x'); os.ftruncate(f, 2 << 40); print(os.fstat(f).st_size)"
            try #expect(server.run(["python3", "-c", memory]).stdout.text == "2199023255552\n")
        }
    }

    @Test(.enabled(if: Host.hasControlGroups && getuid() == 0))
    func `the shell shows the limits of the run, or unlimited`() throws {
        try withServer { server in
            let script = "for o in t n u s v f c; do echo $o $(ulimit -S$o) $(ulimit -H$o); done"
            let limits =
                ["openFiles": 99, "processes": 77, "cpuSeconds": 14400, "stackBytes": 1 << 20] as [String: Any]
            for extra in [[:], ["limits": limits, "timeoutSeconds": 3600]] as [[String: Any]] {
                let run = try server.run(["bash", "-c", script], extra)
                let (files, stack, processes) = extra.isEmpty ? (256, 8192, 512) : (99, 1024, 77)
                // Only a launcher with CAP_SYS_RESOURCE can remove its own limit. The slot counts as one process.
                let own = "u \(processes + 1) \(processes + 1)"
                let users = run.stdout.text.contains(own) ? own : "u unlimited unlimited"
                #expect(
                    run.stdout.text == """
                        t unlimited unlimited
                        n \(files) \(files)
                        \(users)
                        s \(stack) unlimited
                        v unlimited unlimited
                        f unlimited unlimited
                        c 0 0

                        """
                )
            }
        }
    }

    @Test func `a stack may be as large as the memory`() throws {
        try withServer { server in
            let script = """
                import resource
                print(resource.getrlimit(resource.RLIMIT_STACK)[0])
                """
            let megabytes = 1 << 20
            func soft(_ limits: [String: Int]) throws -> String {
                try server.run(["python3", "-c", script], ["limits": limits]).stdout.text
            }
            try #expect(soft([:]) == "\(8 * megabytes)\n")
            try #expect(soft(["stackBytes": 64 * megabytes]) == "\(64 * megabytes)\n")
            try #expect(soft(["stackBytes": 512 * megabytes]) == "\(512 * megabytes)\n")
            let refused = try server.post(
                #"{"command": ["true"], "limits": {"stackBytes": \#(512 * megabytes + 1)}}"#
            )
            #expect(refused.status == 422)
            try #expect(refused.problem().pointers == ["/limits/stackBytes"])
        }
    }

    @Test func `a user cannot give a file away, and is told so as on a host`() throws {
        try withServer { server in
            let script = """
                import os
                open("f", "w").close()
                d = os.open("f", os.O_RDONLY)
                for call, arguments in [
                    (os.chown, ("f", 0, 0)), (os.chown, ("f", 12345, -1)), (os.chown, ("f", -1, 42)),
                    (os.lchown, ("f", 0, 1000)), (os.fchown, (d, 1000, 0)), (os.setuid, (0,)), (os.setgid, (7,)),
                    (os.setreuid, (0, -1)), (os.setregid, (-1, 0)),
                    (os.chown, ("f", 1000, 1000)), (os.chown, ("f", -1, -1)), (os.lchown, ("f", -1, 1000)),
                    (os.fchown, (d, 1000, -1)), (os.setuid, (1000,)), (os.setgid, (1000,)), (os.setreuid, (1000, -1)),
                ]:
                    try:
                        call(*arguments)
                        print("ok")
                    except OSError as error:
                        print(error.strerror)
                """
            let run = try server.run(["python3", "-c", script])
            let lines = Array(repeating: "Operation not permitted", count: 9) + Array(repeating: "ok", count: 7)
            #expect(run.stdout.text == lines.joined(separator: "\n") + "\n")
        }
    }

    @Test func `a run reports the largest resident set of one process`() throws {
        try withServer { server in
            let script = "import os; x = b'x' * (60 << 20)\nif os.fork(): os.wait()"
            let usage = try #require(server.run(["python3", "-c", script]).usage)
            let resident = try #require(usage.maxResidentBytes)
            #expect(resident >= 60 << 20 && resident < 120 << 20)
            let killed = try server.run(["python3", "-c", script + "\nwhile True: pass"], ["timeoutSeconds": 1])
            #expect(killed.timedOut)
            try #expect(#require(killed.usage?.maxResidentBytes) >= 60 << 20)
        }
    }

    private func used(_ run: RunDocument) -> Double { (run.usage?.userSeconds ?? 0) + (run.usage?.systemSeconds ?? 0) }
}
