import Glibc
import Testing

/// A server of an ordinary user.
struct OrdinaryUserTests {
    private func withOrdinaryServer(_ body: (ServerProcess) throws -> Void) throws {
        let server = try ServerProcess(prefix: Host.asOrdinaryUser, program: Host.sharedProgram)
        try body(server)
        try server.stop()
    }

    @Test func `an ordinary user's runs have the same verdicts`() throws {
        try withOrdinaryServer { server in
            try #expect(server.shell("exit 137").end == .exited(137))
            try #expect(server.shell("kill -9 $$").end == .signaled("SIGKILL"))
            try #expect(server.run(["/no/such"]).end == .startFailed)
            try #expect(server.run(["sleep", "60"], ["timeoutSeconds": 0.1]).end == .timedOut)
            try #expect(server.run(["cat"], ["stdin": "hello"]).stdout.text == "hello")
        }
    }

    @Test func `an ordinary user's run leaves no process`() throws {
        try withOrdinaryServer { server in
            let nap = Marker.nap()
            let script = "setsid sleep \(nap) & sleep \(nap) & trap '' TERM; while :; do :; done"
            try #expect(server.shell(script, ["timeoutSeconds": 0.3]).end == .timedOut)
            #expect(ProcessTable.running(nap).isEmpty)
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `an ordinary user's run is confined`() throws {
        try withOrdinaryServer { server in
            let script =
                "id -u; grep CapEff /proc/self/status | cut -f2; touch /usr/x 2>/dev/null || echo no; ls /home /root"
            try #expect(server.shell(script).stdout.text == "1000\n0000000000000000\nno\n")
        }
    }

    @Test func `killing an ordinary user's server kills its runs`() throws {
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

    @Test func `an ordinary user can use sandglass run`() throws {
        let command = Host.asOrdinaryUser + [Host.sharedProgram, "run", "--", "sh", "-c", "echo out; exit 9"]
        let run = try ChildProcess(command).finish()
        #expect(run.end == .exited(9))
        #expect(run.text == "out\n")
    }

    @Test func `an ordinary user's run reports its enforcement without control groups`() throws {
        try withOrdinaryServer { server in
            let run = try server.shell("true")
            #expect(run.enforcement["memory"] == "none")
            #expect(run.enforcement["processes"] == "rlimit")
            #expect(run.enforcement["cpu"] == "rlimit")
            // The lines have the order of the features.
            let lines = try (0..<3).map { _ in try #require(try server.process.readErrorLine()) }
            #expect(lines[0].contains("host_users"))
            #expect(lines[1].contains("memory, processes, cpu: no control groups"))
            #expect(lines[2].contains("priority"))
        }
    }

    @Test(arguments: [("'DEFAULT'", "SIGXCPU"), ("'IGNORE'", "SIGKILL")])
    func `an ordinary user's command reaches its CPU time limit`(
        handler: String,
        signal: String
    ) throws {
        try withOrdinaryServer { server in
            let script = "$SIG{XCPU} = \(handler); 1 while 1"
            let run = try server.perl(script, ["limits": ["cpuSeconds": 1], "timeoutSeconds": 60])
            #expect(run.end == RunDocument.End(outcome: "cpu_limit", exitCode: nil, signal: signal, timedOut: false))
        }
    }

    @Test func `an ordinary user's command that sends itself SIGXCPU did not reach its limit`() throws {
        try withOrdinaryServer { server in
            for name in ["XCPU", "KILL"] {
                let run = try server.perl("kill '\(name)', $$; sleep 60", ["limits": ["cpuSeconds": 1]])
                #expect(run.end == .signaled("SIG\(name)"))
            }
        }
    }

    @Test func `an ordinary user's run has at most its limit of processes`() throws {
        try withOrdinaryServer { server in
            let script = "my $n = 1; while (defined(my $p = fork)) { if (!$p) { sleep 60; exit } $n++ } print $n"
            let run = try server.perl(script, ["limits": ["processes": 7]])
            #expect(run.stdout.text == "7")
        }
    }
}
