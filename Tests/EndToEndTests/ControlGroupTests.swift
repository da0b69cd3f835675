import Foundation
import Glibc
import Testing

/// Control groups belong to the service while it runs, and to nobody afterwards.
@Suite(.serialized, .enabled(if: Host.hasControlGroups))
struct ControlGroupTests {
    @Test func `a server that stops leaves no control group`() throws {
        let server = try ServerProcess()
        _ = try server.runTogether(8, ["true"])
        #expect(!ProcessTable.cgroups(of: server.pid).isEmpty)
        try server.stop()
        #expect(ProcessTable.cgroups(of: server.pid).isEmpty)
    }

    @Test func `a server that is killed leaves no control group`() throws {
        let server = try ServerProcess()
        _ = try server.submit(["sleep", Marker.nap()], ["timeoutSeconds": 60])
        server.process.send(signal: SIGKILL)
        _ = try server.process.wait()
        #expect(eventually { ProcessTable.cgroups(of: server.pid).isEmpty })
    }

    @Test func `a launcher that is killed leaves empty groups for the next server to remove`() throws {
        let server = try ServerProcess()
        let nap = Marker.nap()
        _ = try server.submit(["sleep", nap], ["timeoutSeconds": 60])
        try #require(eventually { ProcessTable.running("sleep\0\(nap)").count == 1 })
        let launcher = try #require(server.launcher)
        let below = ProcessTable.descendants(of: launcher.pid)
        kill(launcher.pid, SIGKILL)
        _ = try server.process.wait()
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
        // The server is no longer root, who alone could do it now.
        try withServer { _ in #expect(ProcessTable.cgroups(of: server.pid).isEmpty) }
    }

    @Test func `what a server and its launcher left that were killed together, the next server removes`() throws {
        let server = try ServerProcess()
        let launcher = try #require(server.launcher)
        // Stopped, the launcher cannot tidy up when the server dies.
        kill(launcher.pid, SIGSTOP)
        #expect(eventually { ProcessTable.entry(launcher.pid)?.state == "T" })
        let below = ProcessTable.descendants(of: server.pid)
        server.process.send(signal: SIGKILL)
        kill(launcher.pid, SIGKILL)
        _ = try server.process.wait()
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
        #expect(!ProcessTable.cgroups(of: server.pid).isEmpty)
        try withServer { _ in #expect(ProcessTable.cgroups(of: server.pid).isEmpty) }
    }

    @Test func `two servers leave each other's groups alone`() throws {
        try withServer { first in
            try withServer { second in try #expect(second.shell("exit 1").end == .exited(1)) }
            try #expect(first.perl("my @x; push @x, 'a' x (32 << 20) while 1").end == .memoryLimit)
            try #expect(first.shell("exit 2").end == .exited(2))
        }
    }

    @Test func `groups that no run needs go after a while`() throws {
        try withServer("--concurrency", "12") { server in
            _ = try server.runTogether(12, ["sleep", "0.3"])
            let own = {
                ProcessTable.cgroups(of: server.pid).count { $0.contains("slot-") }
            }
            let spares = 12
            #expect(own() > 3 * spares)
            #expect(eventually(within: 20) { own() == 3 * spares })
        }
    }

    @Test func `a command cannot see or write control groups`() throws {
        try withServer { server in
            let run = try server.shell("cat /proc/self/cgroup; ls /sys/fs/cgroup 2>/dev/null; mount | grep -c cgroup")
            #expect(!run.stdout.text.contains("sandglass"))
            #expect(run.stdout.text.hasSuffix("0\n"))
        }
    }
}
