import Glibc
import System
import TestSupport
import Testing

/// The start and the end of a server.
struct LifecycleTests {
    /// Starts a run, waits until its command runs, and returns the client that waits for its end.
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
    func `a stopped server responds to waiting clients and leaves nothing`(signal: Int32) throws {
        let server = try ServerProcess(["--concurrency", "1"])
        let nap = Marker.nap()
        let client = try waitingClient(server, ["sleep", nap], until: nap)
        let queued = try server.client()
        let body = try ServerProcess.body(["true"])
        try queued.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
        // The response shows that the server has received the request before.
        try #expect(server.get("/healthz").status == 200)
        let below = ProcessTable.descendants(of: server.pid)

        server.process.send(signal: signal)
        let response = try client.response()
        #expect(response.status == 201)
        try #expect(response.run().outcome == "cancelled")
        try #expect(response.run().signal?.name == "SIGKILL")
        try #expect(queued.response().run().outcome == "cancelled")
        try #expect(server.process.wait() == .exited(0))
        #expect(below.filter(ProcessTable.exists).isEmpty)
        #expect(server.directory.names.isEmpty)
        #expect(throws: SystemError.self) { try server.client() }
    }

    @Test func `a command may use its grace period when the server is stopped`() throws {
        let server = try ServerProcess()
        let word = Marker.word()
        let script = "trap 'exit 7' TERM; while :; do sleep 0.01; done"
        let client = try waitingClient(server, ["sh", "-c", script, word], ["graceSeconds": 30], until: word)
        server.process.send(signal: SIGTERM)
        let run = try client.response().run()
        #expect(run.outcome == "cancelled")
        #expect(run.exitCode == 7)
        try #expect(server.process.wait() == .exited(0))
    }

    @Test func `a second signal ends grace periods`() throws {
        let server = try ServerProcess()
        let word = Marker.word()
        let script = "trap '' TERM; echo $$; while :; do sleep 0.01; done"
        let client = try waitingClient(server, ["sh", "-c", script, word], ["graceSeconds": 60], until: word)
        let below = ProcessTable.descendants(of: server.pid)
        server.process.send(signal: SIGTERM)
        // The log shows that the server has received the first signal.
        while try !#require(try server.process.readErrorLine()).contains("stopping") {}
        server.process.send(signal: SIGTERM)
        try #expect(server.process.wait(atMost: 20) == .exited(0))
        #expect(below.filter(ProcessTable.exists).isEmpty)
        try #expect(client.response().run().outcome == "cancelled")
        #expect(server.directory.names.isEmpty)
    }

    @Test func `killing a server kills its runs`() throws {
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

    @Test func `killing the launcher is an internal error and ends the server`() throws {
        let server = try ServerProcess()
        let nap = Marker.nap()
        let client = try waitingClient(server, ["sh", "-c", "sleep \(nap) & sleep \(nap)"], until: nap)
        let below = ProcessTable.descendants(of: server.pid)
        let launcher = try #require(server.launcher)
        kill(launcher.pid, SIGKILL)
        let run = try client.response().run()
        #expect(run.outcome == "internal_error")
        #expect(run.exitCode == nil && run.signal == nil && !run.timedOut)
        #expect(run.error != nil)
        let end = try server.process.wait()
        #expect(end == .exited(1))
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
        #expect(server.directory.names.isEmpty)
    }

    @Test func `killing a slot is an internal error of its run only`() throws {
        try withServer("--concurrency", "2") { server in
            let nap = Marker.nap()
            let client = try waitingClient(server, ["sleep", nap], until: nap)
            let other = try server.submit(["sh", "-c", "sleep 0.5; exit 2"])
            let command = try #require(ProcessTable.running(nap).first)
            kill(try #require(ProcessTable.entry(command)).parent, SIGKILL)
            let run = try client.response().run()
            #expect(run.outcome == "internal_error")
            #expect(ProcessTable.running(nap).isEmpty)
            try #expect(server.finished(other).end == .exited(2))
            try #expect(server.shell("exit 3").end == .exited(3))
        }
    }

    @Test func `a server with too few descriptors names the number that it needs`() throws {
        let command = [
            "prlimit", "--nofile=32:32", Host.program, "serve", "--listen", "127.0.0.1:0", "--concurrency", "4",
        ]
        let finished = try ChildProcess(command).finish()
        #expect(finished.end == .exited(1))
        #expect(finished.diagnostics.contains("ulimit -n 192"))
    }

    @Test func `connections beyond the descriptor limit get 503 and do not disturb runs`() throws {
        let server = try ServerProcess(["--concurrency", "4"], prefix: ["prlimit", "--nofile=192:192"])
        let body = Array("{\"command\": [\"sleep\", \"0.05\"]}".utf8)
        let clients = try (0..<40).map { _ in try server.client() }
        // The server may have closed a refused connection already.
        for client in clients {
            try? client.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
        }
        let responses = try clients.map { try $0.response() }
        let accepted = responses.filter { $0.status == 201 }
        // 192 less 12 for each run and 128 for the service itself and uploads.
        #expect(accepted.count == 16)
        for response in accepted { #expect(try response.run().end == .exited(0)) }
        for response in responses where response.status != 201 {
            #expect(response.status == 503)
            #expect(response.headers["retry-after"] == "1")
        }
        try server.stop()
    }

    @Test func `two servers cannot share a data directory`() throws {
        let directory = try TemporaryDirectory()
        let data = directory.path + "/data"
        let first = try ServerProcess(["--data-directory", data])
        let command = [Host.program, "serve", "--listen", "127.0.0.1:0", "--data-directory", data]
        let second = try ChildProcess(command).finish()
        #expect(second.end == .exited(1))
        #expect(second.diagnostics.contains("another sandglass uses this data directory"))
        #expect(second.diagnostics.contains(data))
        try #expect(first.shell("exit 1").end == .exited(1))
        try first.stop()
        // The directory is free again.
        try ServerProcess(["--data-directory", data]).stop()
    }

    @Test func `a given data directory outlives its server`() throws {
        let directory = try TemporaryDirectory()
        let data = directory.path + "/data"
        let server = try ServerProcess(["--data-directory", data])
        _ = try server.run(["head", "-c", "9000000", "/dev/zero"], ["limits": ["outputBytes": 9_000_000]])
        try server.stop()
        #expect(directory.names == ["data"])
    }

    @Test func `a port in use is named in the error`() throws {
        try withServer { server in
            let command = [Host.program, "serve", "--listen", "127.0.0.1:\(server.port)"]
            let directory = try TemporaryDirectory()
            let second = try ChildProcess(command, environment: ["TMPDIR": directory.path]).finish()
            #expect(second.end == .exited(1))
            #expect(second.diagnostics.contains("Address already in use"))
            #expect(second.diagnostics.contains("\(server.port)"))
            #expect(directory.names.isEmpty)
        }
    }
}

/// A graceful stop: `--drain-seconds`.
struct DrainTests {
    private func begin(_ client: HTTPClient, _ target: String, _ command: [String]) throws {
        let body = try ServerProcess.body(command, ["timeoutSeconds": 600])
        try client.request("POST", target, ["Content-Type: application/json"], body: body)
    }

    /// Ends the command of ``untilSignal(_:)``.
    private func end(_ word: String) throws {
        for pid in ProcessTable.running(word) { Glibc.kill(pid, SIGUSR1) }
    }

    /// Returns a command that runs until it gets SIGUSR1.
    private func untilSignal(_ word: String) -> [String] {
        ["bash", "-c", "trap 'echo done; exit 4' USR1; while :; do sleep 0.02; done # \(word)"]
    }

    @Test func `a drained server finishes running runs, keeps queued ones, and responds to all clients`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server("--concurrency", "1", "--drain-seconds", "60")
        let word = Marker.word()
        let waitingForRunning = try server.client()
        try begin(waitingForRunning, "/runs?wait=60", untilSignal(word))
        try #require(eventually { !ProcessTable.running(word).isEmpty })
        let queued = try server.submit(["sh", "-c", "exit 6"])
        let waitingForQueued = try server.client()
        try waitingForQueued.request("GET", "/runs/\(queued.id)?wait=60")
        let waitingForNew = try server.client()
        try begin(waitingForNew, "/runs?wait=60", ["sh", "-c", "exit 7"])
        try #require(eventually { try server.runs("&state=queued").count == 2 })
        try #expect(server.get("/readyz").status == 200)

        server.process.send(signal: SIGTERM)
        try #require(eventually { try server.get("/readyz").status == 503 })
        let refused = try server.post(try ServerProcess.body(["true"]))
        #expect(refused.status == 503)
        #expect(refused.headers["retry-after"] != nil)
        // A client that waits for a run that will not start gets a response at once.
        let polled = try waitingForQueued.response()
        #expect(polled.status == 200)
        try #expect(polled.run().state == "queued")
        let accepted = try waitingForNew.response()
        #expect(accepted.status == 202)
        #expect(!ProcessTable.running(word).isEmpty)

        try end(word)
        let finished = try waitingForRunning.response()
        #expect(finished.status == 201)
        try #expect(finished.run().end == .exited(4))
        try #expect(finished.run().stdout.text == "done\n")
        try #expect(server.process.wait() == .exited(0))

        let next = try data.server("--concurrency", "1")
        try #expect(next.finished(queued).end == .exited(6))
        try #expect(next.finished(accepted.run()).end == .exited(7))
        try #expect(next.get("/runs/\(finished.run().id)").run().end == .exited(4))
        try next.stop()
    }

    @Test func `a run that outlives --drain-seconds is cancelled`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server("--drain-seconds", "0.3")
        let nap = Marker.nap()
        let client = try server.client()
        try begin(client, "/runs?wait=60", ["sleep", nap])
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        let start = monotonicSeconds()
        server.process.send(signal: SIGTERM)
        try #expect(client.response().run().outcome == "cancelled")
        #expect(monotonicSeconds() - start >= 0.3)
        try #expect(server.process.wait() == .exited(0))
    }

    @Test func `a second signal cancels running runs and keeps queued ones`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server("--concurrency", "1", "--drain-seconds", "600")
        let nap = Marker.nap()
        let client = try server.client()
        try begin(client, "/runs?wait=60", ["sleep", nap])
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        let queued = try server.submit(["sh", "-c", "exit 6"])
        let running = try #require(try server.runs("&state=running").first)
        let poller = try server.client()
        try poller.request("GET", "/runs/\(running.id)?wait=60")
        server.process.send(signal: SIGTERM)
        try #require(eventually { try server.get("/readyz").status == 503 })
        server.process.send(signal: SIGTERM)
        let run = try client.response().run()
        #expect(run.outcome == "cancelled")
        try #expect(poller.response().run().outcome == "cancelled")
        try #expect(server.process.wait(atMost: 20) == .exited(0))
        #expect(ProcessTable.running(nap).isEmpty)
        let next = try data.server()
        try #expect(next.get("/runs/\(run.id)").run().outcome == "cancelled")
        try #expect(next.finished(queued).end == .exited(6))
        try next.stop()
    }
}
