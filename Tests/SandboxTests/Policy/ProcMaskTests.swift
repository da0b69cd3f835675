import Glibc
import TestSupport
import Testing

@testable import Sandbox

/// Tests of the mounts over a run's `/proc`, without Landlock behind them.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct ProcMaskTests {
    @Test func `the mount alone keeps a run from writing to proc`() async throws {
        let script = """
            for file in self/comm self/oom_score_adj self/coredump_filter sys/kernel/hostname; do \
            (echo 1000 > /proc/$file) 2>&1 | grep -o 'Read-only file system'; done
            """
        let refusals = [String](repeating: "Read-only file system\n", count: 4).joined()
        #expect(try await output(script) == refusals)
    }

    @Test func `without the mount the owner can write to proc`() async throws {
        let script = "echo renamed > /proc/self/comm && echo written"
        #expect(try await output(script, procIsWritable: true) == "written\n")
    }

    @Test(arguments: ProcMask.ofThisHost())
    func `a masked file or directory looks empty`(mask: ProcMask) async throws {
        let look = mask.isDirectory ? "ls -A \(mask.path) | wc -c" : "cat \(mask.path) | wc -c"
        #expect(try await output(look) == "0\n")
        // Without the mask it has content.
        #expect(try await output(look, procIsWritable: true) != "0\n")
    }

    @Test(arguments: [
        "cpuinfo", "meminfo", "stat", "uptime", "loadavg", "version", "filesystems", "mounts", "cgroups",
        "self/status", "self/maps", "self/mountinfo", "sys/kernel/ostype", "sys/vm/overcommit_memory", "net/dev",
    ])
    func `the files that programs read have content`(name: String) async throws {
        #expect(try await output("test -n \"$(cat /proc/\(name))\" && echo there") == "there\n")
    }

    @Test func `a command cannot read the files of proc that only root may read`() async throws {
        let script = "for f in kcore kmsg timer_list kpagecount slabinfo vmallocinfo; do cat /proc/$f; done 2>/dev/null"
        #expect(try await output(script) == "")
    }

    @Test func `every masked path exists and is readable`() {
        for mask in ProcMask.ofThisHost() { #expect(access(mask.path, R_OK) == 0) }
        #expect(ProcMask.ofThisHost().contains { $0.path == "/proc/cmdline" })
    }

    private func output(_ script: String, procIsWritable: Bool = false) async throws -> String {
        try await SystemCallProbe.output(
            of: ["sh", "-c", script],
            protections: .systemCallFilter,
            procIsWritable: procIsWritable
        )
    }
}
