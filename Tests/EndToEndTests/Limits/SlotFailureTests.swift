import Foundation
import Glibc
import TestSupport
import Testing

/// Slots that fail before their command begins, which is never the command's fault.
@Suite(.serialized, .enabled(if: Host.hasControlGroups))
struct SlotFailureTests {
    /// Processes of the test in the control groups of slots, each with 64 MiB that the kernel cannot reclaim.
    ///
    /// A smaller memory limit cannot be set on such a group: EBUSY.
    private final class Occupation {
        private var processes: [ChildProcess] = []

        init(of groups: [String]) throws {
            for group in groups {
                let script = """
                    open my $f, '>', "$ARGV[0]/cgroup.procs" or die $!; print $f $$; close $f or die $!;
                    my $bytes = 64 << 20; my $memory = 'x' x $bytes; $| = 1; print "full\n"; sleep 60
                    """
                let process = try ChildProcess(["perl", "-e", script, group])
                try #require(try process.readOutputLine() == "full")
                processes.append(process)
            }
        }

        func end() throws {
            for process in processes {
                process.send(signal: SIGKILL)
                _ = try process.wait()
            }
            processes = []
        }
    }

    /// The groups of the slots that are ready.
    private func readyGroups(_ server: ServerProcess, count: Int) throws -> [String] {
        var groups: [String] = []
        // Each holds its zygote and its slot.
        func read() -> Int {
            groups = ProcessTable.cgroups(of: server.pid).filter { group in
                group.contains("/memory/") && group.contains("/slot-")
                    && (ProcessTable.contents(group + "/cgroup.procs") ?? []).count { $0 == UInt8(ascii: "\n") } == 2
            }
            return groups.count
        }
        try #require(eventually { read() == count })
        return groups
    }

    private func retries(_ server: ServerProcess) throws -> Double? {
        try MetricsText(server.get("/metrics").text).value("sandglass_slot_retries_total")
    }

    @Test(.needs("perl")) func `another slot is tried, and the run does not notice`() throws {
        try withServer("--concurrency", "1") { server in
            let full = try Occupation(of: readyGroups(server, count: 1))
            let run = try server.shell(
                "cat; cat file; echo error >&2; exit 7",
                ["limits": ["memoryBytes": 16 << 20], "stdin": "input\n", "files": ["file": "content\n"]]
            )
            #expect(run.end == .exited(7))
            #expect(run.stdout.text == "input\ncontent\n" && run.stderr.text == "error\n")
            #expect(try retries(server) == 1)
            try full.end()
            try #expect(server.shell("exit 3", ["limits": ["memoryBytes": 16 << 20]]).end == .exited(3))
        }
    }

    @Test(.needs("perl")) func `at most three other slots are tried`() throws {
        try withServer("--concurrency", "4") { server in
            let full = try Occupation(of: readyGroups(server, count: 4))
            let run = try server.shell("exit 7", ["limits": ["memoryBytes": 16 << 20]])
            let retries = try retries(server)
            #expect(run.outcome == "internal_error", "\(retries ?? -1)")
            #expect(run.error?.step == "limits" && run.error?.errno == "EBUSY")
            #expect(retries == 3)
            try full.end()
        }
    }

    @Test(.needs("perl")) func `a failure that is the command's is not tried again`() throws {
        try withServer("--concurrency", "1") { server in
            try #expect(server.run(["/no/such"]).end == .startFailed)
            #expect(try retries(server) == 0)
        }
    }

    @Test(.needs("perl"), arguments: [30, 450])
    func `shared memory that a run leaves does not count for the next run in its slot`(megabytes: Int) throws {
        let script = """
            my $size = \(megabytes) << 20; my $id = shmget($$, $size, 01666) // die $!; my $part = 'x' x (1 << 20);
            for (my $at = 0; $at < $size; $at += 1 << 20) { shmwrite $id, $part, $at, 1 << 20 or die $! }
            """
        try withServer("--concurrency", "1") { server in
            // This size is not that of the slots that are ready, so that the same slot number serves all runs.
            let disk = 64 << 20
            for _ in 0..<5 {
                let leaving = try server.perl(
                    script,
                    ["limits": ["memoryBytes": (megabytes + 64) << 20, "diskBytes": disk]]
                )
                #expect(leaving.end == .exited(0))
                let next = try server.shell(
                    "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /proc/self/cgroup | grep -v ':/$'",
                    ["limits": ["memoryBytes": 8 << 20, "diskBytes": disk]]
                )
                // The group is new, and the run sees it as its own.
                #expect(next.stdout.text == "\(8 << 20)\n")
                #expect(next.end == .exited(0))
                #expect((next.usage?.peakMemoryBytes ?? .max) < 8 << 20)
            }
            #expect(try retries(server) == 0)
        }
    }
}
