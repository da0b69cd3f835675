import Foundation
import Glibc
import TestSupport
import Testing

/// Descriptors, processes and mounts after many runs and disconnected clients.
@Suite(.serialized)
struct LeakTests {
    /// The descriptors of an idle server and its launcher, without one control socket for each slot and each zygote.
    private struct Descriptors: Equatable {
        let server: Int
        let launcher: Int
    }

    private func count(_ server: ServerProcess) throws -> Descriptors {
        let launcher = try #require(server.launcher).pid
        let slots = server.slots.count
        return Descriptors(
            server: try ProcessTable.descriptors(of: server.pid).count - slots,
            // The launcher is not dumpable, so its /proc files belong to root.
            launcher: Host.isRoot ? try ProcessTable.descriptors(of: launcher).count - server.zygotes.count : 0
        )
    }

    /// Returns the count once it is stable.
    ///
    /// A slot that is being removed has closed its socket already, and a new slot has none yet.
    private func descriptors(_ server: ServerProcess) throws -> Descriptors {
        var last = (try count(server), server.slots)
        var repetitions = 0
        let isStable = try eventually {
            let now = (try count(server), server.slots)
            repetitions = now == last && server.isIdle ? repetitions + 1 : 0
            last = now
            return repetitions == 30
        }
        try #require(isStable)
        return last.0
    }

    /// Returns true if no more descriptors are open than before, once all connections are closed.
    private func isBack(_ server: ServerProcess, to before: Descriptors, within seconds: Double = 30) -> Bool {
        eventually(within: seconds) {
            guard let now = try? count(server) else { return false }
            return now.server <= before.server && now.launcher <= before.launcher
        }
    }

    @Test func `a thousand runs leave no descriptor, process, mount or control group`() throws {
        try withServer("--concurrency", "4") { server in
            // Every kind of outcome and every kind of stream.
            func mixed() throws {
                _ = try server.runTogether(70, ["true"])
                _ = try server.runTogether(10, ["sh", "-c", "sleep 600 & echo hi"], ["stdin": "not read"])
                _ = try server.runTogether(10, ["sleep", "600"], ["timeoutSeconds": 0.01])
                _ = try server.runTogether(5, ["/no/such"])
                _ = try server.runTogether(5, ["sh", "-c", "head -c 3000 /dev/zero; kill -9 $$"])
            }
            try mixed()
            // The response shows that the server has seen the ends of the earlier connections.
            _ = try server.get("/healthz")
            let launcher = try #require(server.launcher).pid
            let before = try descriptors(server)
            let mounts = (ProcessTable.mounts(of: server.pid), ProcessTable.mounts(of: launcher))
            let cgroups = ProcessTable.cgroups(of: server.pid).count
            for _ in 0..<10 { try mixed() }
            #expect(isBack(server, to: before))
            // The remaining slots are unused, and there are at most as many as can run at once.
            #expect(eventually { server.isIdle && server.slots.count <= 4 })
            #expect((ProcessTable.mounts(of: server.pid), ProcessTable.mounts(of: launcher)) == mounts)
            // The ready slots have groups, whatever their numbers are.
            #expect(eventually { ProcessTable.cgroups(of: server.pid).count <= cgroups })
            #expect(server.directory.names.count == 1)
        }
    }

    @Test func `runs of images and on the host's network leave no descriptor, process or mount`() throws {
        let images = try ["a", "b"].map { (name: $0, directory: try ImageDirectory($0)) }
        let flags = images.flatMap { ["--image", "\($0.name)=\($0.directory.path)"] }
        let server = try ServerProcess(flags + ["--allow-host-network", "--concurrency", "4"])
        func mixed() throws {
            for (number, name) in ["a", "b", "host"].enumerated() {
                let members: [String: Any] = ["image": name, "network": number % 2 == 0 ? "host" : "none"]
                _ = try server.runTogether(20, ["true"], members)
                _ = try server.runTogether(5, ["sh", "-c", "while :; do :; done & kill -9 $$"], members)
                let short = members.merging(["timeoutSeconds": 0.01]) { own, _ in own }
                _ = try server.runTogether(5, ["sh", "-c", "while :; do :; done"], short)
            }
        }
        try mixed()
        _ = try server.get("/healthz")
        let launcher = try #require(server.launcher).pid
        let before = try descriptors(server)
        let mounts = ProcessTable.mounts(of: launcher)
        for _ in 0..<4 { try mixed() }
        #expect(isBack(server, to: before))
        #expect(eventually { server.isIdle && server.slots.count <= 4 })
        #expect(ProcessTable.mounts(of: launcher) == mounts)
        try server.stop()
    }

    @Test func `output that is stored in a file leaves no descriptor`() throws {
        try withServer { server in
            _ = try server.shell("true")
            let before = try descriptors(server)
            _ = try server.runTogether(30, ["head", "-c", "300000", "/dev/zero"])
            let after = isBack(server, to: before, within: 3)
            #expect(after)
        }
    }

    @Test(arguments: [false, true])
    func `a waiting client that disconnects ends no run and leaves no descriptor`(resets: Bool) throws {
        try withServer("--concurrency", "20") { server in
            _ = try server.shell("true")
            let before = try descriptors(server)
            // The commands end on a signal, so that the test does not depend on time.
            let nap = Marker.nap()
            var clients: [HTTPClient] = []
            for _ in 0..<20 {
                let client = try server.client()
                let body = try ServerProcess.body(["sleep", nap], ["timeoutSeconds": 300])
                try client.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
                if resets { client.resetOnClose() }
                clients.append(client)
            }
            #expect(eventually { ProcessTable.running(nap).count == 20 })
            let waiting = try ProcessTable.sockets(of: server.pid)
            clients = []
            // The server closes the connections while the commands run.
            #expect(try eventually { try ProcessTable.sockets(of: server.pid) <= waiting - 20 })
            #expect(ProcessTable.running(nap).count == 20)
            for pid in ProcessTable.running(nap) { kill(pid, SIGTERM) }
            #expect(eventually { ProcessTable.running(nap).isEmpty })
            #expect(isBack(server, to: before))
            try #expect(server.shell("exit 5").end == .exited(5))
        }
    }

    @Test func `a run whose client disconnected finishes normally`() throws {
        try withServer { server in
            let run = try server.submit(["sh", "-c", "sleep 0.5; echo end; exit 4"])
            do {
                let client = try server.client()
                try client.request("GET", "/runs/\(run.id)?wait=60")
                client.resetOnClose()
            }
            let finished = try server.finished(run)
            #expect(finished.end == .exited(4))
            #expect(finished.stdout.text == "end\n")
        }
    }

    @Test func `a killed server leaves no process, mount or control group`() throws {
        let data = try TemporaryDataDirectory()
        let mounts = ProcessTable.mounts(of: getpid())
        let first = try data.server()
        let nap = Marker.nap()
        _ = try first.submit(["sh", "-c", "(trap '' TERM HUP; setsid sleep \(nap)) & sleep \(nap)"])
        try #require(eventually { ProcessTable.running("sleep\0\(nap)").count == 2 })
        try first.kill()
        #expect(ProcessTable.running(nap).isEmpty)

        let second = try data.server()
        #expect(ProcessTable.cgroups(of: first.pid).isEmpty)
        #expect(ProcessTable.mounts(of: getpid()) == mounts)
        try #expect(second.shell("exit 3").end == .exited(3))
        try second.stop()
    }

    @Test func `refused requests leave no descriptor`() throws {
        try withServer { server in
            _ = try server.shell("true")
            let before = try descriptors(server)
            for _ in 0..<100 {
                _ = try server.post("{")
                _ = try server.get("/nothing")
                _ = try server.get("/healthz", ["Host: evil.example"])
                let client = try server.client()
                try client.send("POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
            }
            #expect(isBack(server, to: before))
        }
    }
}

/// The control groups of a service, which it removes when it ends.
@Suite(.serialized, .enabled(if: Host.hasControlGroups))
struct ControlGroupTests {
    @Test func `a stopped server leaves no control group`() throws {
        let server = try ServerProcess()
        _ = try server.runTogether(8, ["true"])
        #expect(!ProcessTable.cgroups(of: server.pid).isEmpty)
        try server.stop()
        #expect(ProcessTable.cgroups(of: server.pid).isEmpty)
    }

    @Test func `a killed server leaves no control group`() throws {
        let server = try ServerProcess()
        _ = try server.submit(["sleep", Marker.nap()], ["timeoutSeconds": 60])
        server.process.send(signal: SIGKILL)
        _ = try server.process.wait()
        #expect(eventually { ProcessTable.cgroups(of: server.pid).isEmpty })
    }

    @Test func `the next server removes the empty groups of a killed launcher`() throws {
        let server = try ServerProcess()
        let nap = Marker.nap()
        _ = try server.submit(["sleep", nap], ["timeoutSeconds": 60])
        try #require(eventually { ProcessTable.running("sleep\0\(nap)").count == 1 })
        let launcher = try #require(server.launcher)
        let below = ProcessTable.descendants(of: launcher.pid)
        kill(launcher.pid, SIGKILL)
        _ = try server.process.wait()
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
        // The server itself cannot remove them, because it is no longer root.
        try withServer { _ in #expect(ProcessTable.cgroups(of: server.pid).isEmpty) }
    }

    @Test func `the next server removes the groups of a server killed together with its launcher`() throws {
        let server = try ServerProcess()
        let launcher = try #require(server.launcher)
        // A stopped launcher cannot clean up when the server dies.
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

    @Test func `two servers do not touch each other's groups`() throws {
        try withServer { first in
            try withServer { second in try #expect(second.shell("exit 1").end == .exited(1)) }
            try #expect(first.perl("my @x; push @x, 'a' x (32 << 20) while 1").end == .memoryLimit)
            try #expect(first.shell("exit 2").end == .exited(2))
        }
    }

    @Test func `unused groups are removed after a while`() throws {
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

    @Test func `a command does not see the names of the service's control groups`() throws {
        try withServer { server in
            for options: [String: Any] in [[:], ["limits": ["cpus": 1]]] {
                let run = try server.run(["cat", "/proc/self/cgroup", "/proc/self/mountinfo"], options)
                #expect(!run.stdout.text.contains("sandglass-") && !run.stdout.text.contains("slot-"))
                #expect(!run.stdout.text.contains("runs"))
            }
        }
    }
}
