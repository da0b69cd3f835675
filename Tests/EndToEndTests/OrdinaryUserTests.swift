import Glibc
import Testing

/// A server that is not root: the same service, with the one user it has.
struct OrdinaryUserTests {
    private func withOrdinaryServer(_ body: (ServerProcess) throws -> Void) throws {
        let server = try ServerProcess(prefix: Host.asOrdinaryUser, program: Host.sharedProgram)
        try body(server)
        try server.stop()
    }

    @Test func `an ordinary user's runs end as they do`() throws {
        try withOrdinaryServer { server in
            try #expect(server.shell("exit 137").end == .exited(137))
            try #expect(server.shell("kill -9 $$").end == .signaled("SIGKILL"))
            try #expect(server.run(["/no/such"]).end == .startFailed)
            try #expect(server.run(["sleep", "60"], ["timeoutSeconds": 0.1]).end == .timedOut)
            try #expect(server.run(["cat"], ["stdin": "hello"]).stdout.text == "hello")
        }
    }

    @Test func `an ordinary user's run leaves nothing behind`() throws {
        try withOrdinaryServer { server in
            let nap = Marker.nap()
            let script = "setsid sleep \(nap) & sleep \(nap) & trap '' TERM; while :; do :; done"
            try #expect(server.shell(script, ["timeoutSeconds": 0.3]).end == .timedOut)
            #expect(ProcessTable.running(nap).isEmpty)
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `an ordinary user's run sees as little`() throws {
        try withOrdinaryServer { server in
            let script =
                "id -u; grep CapEff /proc/self/status | cut -f2; touch /usr/x 2>/dev/null || echo no; ls /home /root"
            try #expect(server.shell(script).stdout.text == "1000\n0000000000000000\nno\n")
        }
    }

    @Test func `an ordinary user's server that is killed takes its runs along`() throws {
        let server = try ServerProcess(prefix: Host.asOrdinaryUser, program: Host.sharedProgram)
        let nap = Marker.nap()
        _ = try server.submit(["sh", "-c", "setsid sleep \(nap) & sleep \(nap)"], ["timeoutSeconds": 60])
        try #require(eventually { ProcessTable.running("sleep\0\(nap)").count == 2 })
        let below = ProcessTable.descendants(of: server.pid)
        server.process.send(signal: SIGKILL)
        _ = try server.process.wait()
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
        #expect(ProcessTable.running(nap).isEmpty)
    }

    @Test func `an ordinary user may run a command without a server`() throws {
        let command = Host.asOrdinaryUser + [Host.sharedProgram, "run", "--", "sh", "-c", "echo out; exit 9"]
        let run = try ChildProcess(command).finish()
        #expect(run.end == .exited(9))
        #expect(run.text == "out\n")
    }
}
