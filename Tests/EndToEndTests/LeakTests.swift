import Glibc
import Testing

/// What many runs, and clients that go away, leave in the server: nothing.
@Suite(.serialized)
struct LeakTests {
    /// What a server and its launcher have open beside one control socket a slot and one a zygote, when nothing runs.
    private struct Descriptors: Equatable {
        let server: Int
        let launcher: Int
    }

    private func look(_ server: ServerProcess) throws -> Descriptors {
        let launcher = try #require(server.launcher).pid
        let slots = server.slots.count
        return Descriptors(
            server: try ProcessTable.descriptors(of: server.pid).count - slots,
            // The launcher cannot be dumped, so its /proc files are root's.
            launcher: Host.isRoot ? try ProcessTable.descriptors(of: launcher).count - server.zygotes.count : 0
        )
    }

    /// The same, once it has stopped changing: a slot that is being put away has closed its socket already, and one that is
    /// being made has none yet.
    private func descriptors(_ server: ServerProcess) throws -> Descriptors {
        var last = (try look(server), server.slots)
        var looks = 0
        let isSettled = try eventually {
            let now = (try look(server), server.slots)
            looks = now == last && server.isIdle ? looks + 1 : 0
            last = now
            return looks == 30
        }
        try #require(isSettled)
        return last.0
    }

    /// Whether no more is open than before, once all connections are closed.
    private func isBack(_ server: ServerProcess, to before: Descriptors, within seconds: Double = 30) -> Bool {
        eventually(within: seconds) {
            guard let now = try? look(server) else { return false }
            return now.server <= before.server && now.launcher <= before.launcher
        }
    }

    @Test func `a thousand runs leave no descriptor, process, mount or cgroup behind`() throws {
        try withServer("--concurrency", "4") { server in
            // Every way to end, and every kind of stream.
            func mixed() throws {
                _ = try server.runTogether(70, ["true"])
                _ = try server.runTogether(10, ["sh", "-c", "sleep 600 & echo hi"], ["stdin": "not read"])
                _ = try server.runTogether(10, ["sleep", "600"], ["timeoutSeconds": 0.01])
                _ = try server.runTogether(5, ["/no/such"])
                _ = try server.runTogether(5, ["sh", "-c", "head -c 3000 /dev/zero; kill -9 $$"])
            }
            try mixed()
            // Its answer shows that the ends of the connections before it have been seen.
            _ = try server.get("/healthz")
            let launcher = try #require(server.launcher).pid
            let before = try descriptors(server)
            let mounts = (ProcessTable.mounts(of: server.pid), ProcessTable.mounts(of: launcher))
            let cgroups = ProcessTable.cgroups(of: server.pid).count
            for _ in 0..<10 { try mixed() }
            #expect(isBack(server, to: before))
            // Slots in which nothing has run yet: no more of them than may be needed at once.
            #expect(eventually { server.isIdle && server.slots.count <= 4 })
            #expect((ProcessTable.mounts(of: server.pid), ProcessTable.mounts(of: launcher)) == mounts)
            // Those of the slots that are ready, whichever numbers they have.
            #expect(eventually { ProcessTable.cgroups(of: server.pid).count <= cgroups })
            #expect(server.folder.names.count == 1)
        }
    }

    @Test func `runs of images and of the host's network leave no descriptor, process or mount behind`() throws {
        let images = try ["a", "b"].map { (name: $0, folder: try ImageFolder($0)) }
        let flags = images.flatMap { ["--image", "\($0.name)=\($0.folder.path)"] }
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

    @Test func `output that goes to a file leaves no descriptor behind`() throws {
        try withServer { server in
            _ = try server.shell("true")
            let before = try descriptors(server)
            _ = try server.runTogether(30, ["head", "-c", "300000", "/dev/zero"])
            let after = isBack(server, to: before, within: 3)
            #expect(after)
        }
    }

    @Test(arguments: [false, true])
    func `a client that goes away while it waits ends nothing and leaves no descriptor`(resets: Bool) throws {
        try withServer("--concurrency", "20") { server in
            _ = try server.shell("true")
            let before = try descriptors(server)
            // They end when they are told to, so that no clock decides what is seen of them.
            let nap = Marker.nap()
            var clients: [HTTPClient] = []
            for _ in 0..<20 {
                let client = try server.client()
                let body = try ServerProcess.body(["sleep", nap], ["timeoutSeconds": 300])
                try client.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
                if resets { client.resetAtEnd() }
                clients.append(client)
            }
            #expect(eventually { ProcessTable.running(nap).count == 20 })
            let waiting = try ProcessTable.sockets(of: server.pid)
            clients = []
            // The connections are let go while the commands go on.
            #expect(try eventually { try ProcessTable.sockets(of: server.pid) <= waiting - 20 })
            #expect(ProcessTable.running(nap).count == 20)
            for pid in ProcessTable.running(nap) { kill(pid, SIGTERM) }
            #expect(eventually { ProcessTable.running(nap).isEmpty })
            #expect(isBack(server, to: before))
            try #expect(server.shell("exit 5").end == .exited(5))
        }
    }

    @Test func `a run whose client went away is finished as any other`() throws {
        try withServer { server in
            let run = try server.submit(["sh", "-c", "sleep 0.5; echo end; exit 4"])
            do {
                let client = try server.client()
                try client.request("GET", "/runs/\(run.id)?wait=60")
                client.resetAtEnd()
            }
            let finished = try server.finished(run)
            #expect(finished.end == .exited(4))
            #expect(finished.stdout.text == "end\n")
        }
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
