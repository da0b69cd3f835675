import Glibc
import Testing

/// A server that is told to stop and has time to.
struct DrainTests {
    private func begin(_ client: HTTPClient, _ target: String, _ command: [String]) throws {
        let body = try ServerProcess.body(command, ["timeoutSeconds": 600])
        try client.request("POST", target, ["Content-Type: application/json"], body: body)
    }

    /// Lets a command end by itself: the one that waits for SIGUSR1.
    private func end(_ word: String) throws {
        for pid in ProcessTable.running(word) { Glibc.kill(pid, SIGUSR1) }
    }

    private func patient(_ word: String) -> [String] {
        ["bash", "-c", "trap 'echo done; exit 4' USR1; while :; do sleep 0.02; done # \(word)"]
    }

    @Test func `what runs may finish, what waits is for the next start, and everybody is answered`() throws {
        let data = try DataFolder()
        let server = try data.server("--concurrency", "1", "--drain-seconds", "60")
        let word = Marker.word()
        let waitingForRunning = try server.client()
        try begin(waitingForRunning, "/runs?wait=60", patient(word))
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
        // What is not going to begin any more is not waited for.
        let told = try waitingForQueued.answer()
        #expect(told.status == 200)
        try #expect(told.run().state == "queued")
        let accepted = try waitingForNew.answer()
        #expect(accepted.status == 202)
        #expect(!ProcessTable.running(word).isEmpty)

        try end(word)
        let finished = try waitingForRunning.answer()
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

    @Test func `what still runs when the time is over is cancelled`() throws {
        let data = try DataFolder()
        let server = try data.server("--drain-seconds", "0.3")
        let nap = Marker.nap()
        let client = try server.client()
        try begin(client, "/runs?wait=60", ["sleep", nap])
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        let told = monotonicSeconds()
        server.process.send(signal: SIGTERM)
        try #expect(client.answer().run().outcome == "cancelled")
        #expect(monotonicSeconds() - told >= 0.3)
        try #expect(server.process.wait() == .exited(0))
    }

    @Test func `a second signal hurries it, and what waits is still there at the next start`() throws {
        let data = try DataFolder()
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
        let run = try client.answer().run()
        #expect(run.outcome == "cancelled")
        try #expect(poller.answer().run().outcome == "cancelled")
        try #expect(server.process.wait(atMost: 20) == .exited(0))
        #expect(ProcessTable.running(nap).isEmpty)
        let next = try data.server()
        try #expect(next.get("/runs/\(run.id)").run().outcome == "cancelled")
        try #expect(next.finished(queued).end == .exited(6))
        try next.stop()
    }
}
