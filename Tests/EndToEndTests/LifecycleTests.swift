import Glibc
import Testing

/// How a server starts and ends, and that nothing outlives it.
struct LifecycleTests {
    /// A server with a command that runs, and the client that waits for it.
    private func waitingClient(
        _ server: ServerProcess,
        _ command: [String],
        _ members: [String: Any] = [:],
        until marker: String
    ) throws -> HTTPClient {
        let client = try server.client()
        let body = try ServerProcess.body(command, members.merging(["timeoutSeconds": 60]) { own, _ in own })
        try client.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
        try #require(eventually { !ProcessTable.running(marker).isEmpty })
        return client
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `a server that is stopped answers who waits and leaves nothing`(signal: Int32) throws {
        let server = try ServerProcess(["--concurrency", "1"])
        let nap = Marker.nap()
        let client = try waitingClient(server, ["sleep", nap], until: nap)
        let queued = try server.client()
        let body = try ServerProcess.body(["true"])
        try queued.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
        // Its answer shows that the request before it has been taken.
        try #expect(server.get("/healthz").status == 200)
        let below = ProcessTable.descendants(of: server.pid)

        server.process.send(signal: signal)
        let answer = try client.answer()
        #expect(answer.status == 201)
        try #expect(answer.run().outcome == "cancelled")
        try #expect(answer.run().signal?.name == "SIGKILL")
        try #expect(queued.answer().run().outcome == "cancelled")
        try #expect(server.process.wait() == .exited(0))
        #expect(below.filter(ProcessTable.isThere).isEmpty)
        #expect(server.folder.names.isEmpty)
        #expect(throws: HTTPClient.Broken.self) { try server.client() }
    }

    @Test func `a command may use its grace period when the server is stopped`() throws {
        let server = try ServerProcess()
        let word = Marker.word()
        let script = "trap 'exit 7' TERM; while :; do sleep 0.01; done"
        let client = try waitingClient(server, ["sh", "-c", script, word], ["graceSeconds": 30], until: word)
        server.process.send(signal: SIGTERM)
        let run = try client.answer().run()
        #expect(run.outcome == "cancelled")
        #expect(run.exitCode == 7)
        try #expect(server.process.wait() == .exited(0))
    }

    @Test func `a second signal does not wait for grace periods`() throws {
        let server = try ServerProcess()
        let word = Marker.word()
        let script = "trap '' TERM; echo $$; while :; do sleep 0.01; done"
        let client = try waitingClient(server, ["sh", "-c", script, word], ["graceSeconds": 60], until: word)
        let below = ProcessTable.descendants(of: server.pid)
        server.process.send(signal: SIGTERM)
        // Its own word that it has seen the first one.
        while try !#require(try server.process.readErrorLine()).contains("stopping") {}
        server.process.send(signal: SIGTERM)
        try #expect(server.process.wait(atMost: 20) == .exited(0))
        #expect(below.filter(ProcessTable.isThere).isEmpty)
        try #expect(client.answer().run().outcome == "cancelled")
        #expect(server.folder.names.isEmpty)
    }

    @Test func `a server that is killed takes its runs along`() throws {
        let server = try ServerProcess()
        let nap = Marker.nap()
        let script = "(trap '' TERM HUP; setsid sleep \(nap)) & sleep \(nap)"
        _ = try waitingClient(server, ["sh", "-c", script], until: "sleep\0\(nap)")
        try #require(eventually { ProcessTable.running("sleep\0\(nap)").count == 2 })
        let below = ProcessTable.descendants(of: server.pid)
        #expect(below.count >= 4)
        server.process.send(signal: SIGKILL)
        try #expect(server.process.wait() == .signaled(SIGKILL))
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
        #expect(ProcessTable.running(nap).isEmpty)
    }

    @Test func `a launcher that is killed is an internal error, and the end of the server`() throws {
        let server = try ServerProcess()
        let nap = Marker.nap()
        let client = try waitingClient(server, ["sh", "-c", "sleep \(nap) & sleep \(nap)"], until: nap)
        let below = ProcessTable.descendants(of: server.pid)
        let launcher = try #require(server.launcher)
        kill(launcher.pid, SIGKILL)
        let run = try client.answer().run()
        #expect(run.outcome == "internal_error")
        #expect(run.exitCode == nil && run.signal == nil && !run.timedOut)
        #expect(run.error != nil)
        let end = try server.process.wait()
        #expect(end == .exited(1))
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
        #expect(server.folder.names.isEmpty)
    }

    @Test func `a slot that is killed is an internal error of its run alone`() throws {
        try withServer("--concurrency", "2") { server in
            let nap = Marker.nap()
            let client = try waitingClient(server, ["sleep", nap], until: nap)
            let other = try server.submit(["sh", "-c", "sleep 0.5; exit 2"])
            let command = try #require(ProcessTable.running(nap).first)
            kill(try #require(ProcessTable.entry(command)).parent, SIGKILL)
            let run = try client.answer().run()
            #expect(run.outcome == "internal_error")
            #expect(ProcessTable.running(nap).isEmpty)
            try #expect(server.finished(other).end == .exited(2))
            try #expect(server.shell("exit 3").end == .exited(3))
        }
    }

    @Test func `a server that may open too few descriptors says how many it needs`() throws {
        let command = [
            "prlimit", "--nofile=32:32", Host.program, "serve", "--listen", "127.0.0.1:0", "--concurrency", "4",
        ]
        let finished = try ChildProcess(command).finish()
        #expect(finished.end == .exited(1))
        #expect(finished.diagnostics.contains("ulimit -n 192"))
    }

    @Test func `connections beyond what its descriptors allow are told so, and its runs do not suffer`() throws {
        let server = try ServerProcess(["--concurrency", "4"], prefix: ["prlimit", "--nofile=192:192"])
        let body = Array("{\"command\": [\"sleep\", \"0.05\"]}".utf8)
        let clients = try (0..<40).map { _ in try server.client() }
        // One that was turned away may be closed already.
        for client in clients {
            try? client.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
        }
        let answers = try clients.map { try $0.answer() }
        let taken = answers.filter { $0.status == 201 }
        // 192 less 12 for each run and 128 for the service itself and uploads.
        #expect(taken.count == 16)
        for answer in taken { #expect(try answer.run().end == .exited(0)) }
        for answer in answers where answer.status != 201 {
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] == "1")
        }
        try server.stop()
    }

    @Test func `two servers do not share a data directory`() throws {
        let folder = try TemporaryFolder()
        let data = folder.path + "/data"
        let first = try ServerProcess(["--data-directory", data])
        let command = [Host.program, "serve", "--listen", "127.0.0.1:0", "--data-directory", data]
        let second = try ChildProcess(command).finish()
        #expect(second.end == .exited(1))
        #expect(second.diagnostics.contains("another sandglass uses this data directory"))
        #expect(second.diagnostics.contains(data))
        try #expect(first.shell("exit 1").end == .exited(1))
        try first.stop()
        // Free again.
        try ServerProcess(["--data-directory", data]).stop()
    }

    @Test func `a data directory of one's own is kept, and emptied`() throws {
        let folder = try TemporaryFolder()
        let data = folder.path + "/data"
        let server = try ServerProcess(["--data-directory", data])
        _ = try server.run(["head", "-c", "9000000", "/dev/zero"], ["limits": ["outputBytes": 9_000_000]])
        try server.stop()
        #expect(folder.names == ["data"])
    }

    @Test func `a port that is in use is said so`() throws {
        try withServer { server in
            let command = [Host.program, "serve", "--listen", "127.0.0.1:\(server.port)"]
            let folder = try TemporaryFolder()
            let second = try ChildProcess(command, environment: ["TMPDIR": folder.path]).finish()
            #expect(second.end == .exited(1))
            #expect(second.diagnostics.contains("Address already in use"))
            #expect(second.diagnostics.contains("\(server.port)"))
            #expect(folder.names.isEmpty)
        }
    }
}
