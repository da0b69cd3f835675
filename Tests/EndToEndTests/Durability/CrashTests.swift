import Glibc
import TestSupport
import Testing

/// Accepted runs after a kill of the server and a restart on its data directory.
struct CrashTests {
    /// Starts a run that sleeps until it is stopped.
    private func occupy(_ server: ServerProcess, _ script: String = "") throws -> RunDocument {
        let nap = Marker.nap()
        let run = try server.submit(["sh", "-c", "\(script)sleep \(nap)"], ["timeoutSeconds": 600])
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        return run
    }

    @Test func `a thousand queued runs are executed after a kill, in order and once each`() throws {
        let data = try TemporaryDataDirectory()
        let announcements = try AnnouncementListener()
        let first = try data.server("--concurrency", "1", "--allow-host-network")
        let running = try occupy(first)
        let client = try first.client()
        let ids = try (0..<1000).map { number in
            let body = try ServerProcess.body(announcements.command(number), ["network": "host"])
            try client.request("POST", "/runs", ["Content-Type: application/json"], body: body)
            let response = try client.response()
            try #require(response.status == 202)
            return try response.run().id
        }
        try first.kill()
        #expect(announcements.numbers().isEmpty)

        let second = try data.server("--concurrency", "1", "--allow-host-network")
        let isDone = try eventually(within: 180) { try second.runs("&state=finished").count == 1001 }
        try #require(isDone)
        #expect(announcements.numbers() == Array(0..<1000))
        try #expect(second.runs().map(\.id) == ([running.id] + ids).reversed())
        try #expect(second.runs("&outcome=lost").map(\.id) == [running.id])
        let runs = try ids.map { try second.get("/runs/\($0)").run() }
        #expect(runs.allSatisfy { $0.end == .exited(0) })
        for (earlier, later) in zip(runs, runs.dropFirst()) {
            try #expect(#require(later.startedAt) >= #require(earlier.finishedAt))
        }
        try second.stop()
    }

    @Test func `a running run is lost after a kill and keeps its output`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let run = try occupy(first, "echo out; echo err >&2; ")
        // The server stores output soon after it was written.
        try #require(eventually { data.outputs.count == 2 })
        try first.kill()

        let second = try data.server()
        let lost = try second.get("/runs/\(run.id)").run()
        #expect(lost.state == "finished")
        #expect(lost.outcome == "lost")
        #expect(lost.exitCode == nil && lost.signal == nil && !lost.timedOut && lost.error == nil)
        #expect(lost.stdout.text == "out\n")
        #expect(lost.stderr.text == "err\n")
        #expect(lost.startedAt != nil)
        try #expect(second.get("/runs/\(run.id)/stdout").text == "out\n")
        try second.stop()
    }

    @Test func `finished runs are unchanged after a kill`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let small = try first.finished(first.submit(["sh", "-c", "echo small; exit 5"], ["labels": ["a": "b"]]))
        let large = try first.finished(first.submit(["head", "-c", "100000", "/dev/zero"]))
        try first.kill()

        let second = try data.server()
        let again = try second.get("/runs/\(small.id)?wait=10").run()
        #expect(again.end == .exited(5))
        #expect(again.stdout.text == "small\n")
        #expect(again.labels == ["a": "b"])
        #expect(again.createdAt == small.createdAt)
        #expect(again.startedAt == small.startedAt)
        #expect(again.finishedAt == small.finishedAt)
        try #expect(second.get("/runs/\(small.id)/stdout").text == "small\n")
        try #expect(second.get("/runs/\(large.id)/stdout").body == [UInt8](repeating: 0, count: 100_000))
        try second.stop()
    }

    /// A client relies on a verdict that it has seen.
    @Test func `a verdict sent just before a kill is the verdict after it`() throws {
        let data = try TemporaryDataDirectory()
        for _ in 0..<20 {
            let server = try data.server()
            let run = try server.submit(["true"])
            let seen = try server.finished(run)
            server.process.send(signal: SIGKILL)
            try #require(server.process.wait() == .signaled(SIGKILL))
            #expect(seen.end == .exited(0))
            let next = try data.server()
            try #expect(next.get("/runs/\(run.id)").run().end == seen.end)
            try next.stop()
        }
    }

    @Test func `the queueing time of a run includes the time before a kill`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server("--concurrency", "1")
        _ = try occupy(first)
        let run = try first.submit(["sh", "-c", "cat; echo $WORD"], ["stdin": "input ", "env": ["WORD": "word"]])
        let accepted = monotonicSeconds()
        try first.kill()
        let second = try data.server("--concurrency", "1")
        let finished = try second.finished(run)
        let waited = monotonicSeconds() - accepted
        #expect(finished.end == .exited(0))
        #expect(finished.stdout.text == "input word\n")
        let queued = try #require(finished.usage?.queuedSeconds)
        // The time before the kill is stored in whole milliseconds.
        #expect(queued > 0.001 && queued <= waited + 0.01)
        try second.stop()
    }

    @Test func `queued runs are executed after a kill of the launcher and a restart`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server("--concurrency", "1")
        let running = try occupy(first)
        let queued = try (0..<5).map { try first.submit(["sh", "-c", "exit \($0)"]) }
        Glibc.kill(try #require(first.launcher).pid, SIGKILL)
        try #expect(first.process.wait() == .exited(1))

        let second = try data.server()
        try #expect(second.get("/runs/\(running.id)").run().outcome == "internal_error")
        let ends = try queued.map { try second.finished($0).end }
        #expect(ends == (0..<5).map { .exited($0) })
        try second.stop()
    }

    @Test func `a cancelled run stays cancelled after a kill`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server("--concurrency", "1")
        _ = try occupy(first)
        let run = try first.submit(["true"])
        try #expect(first.send("POST", "/runs/\(run.id)/cancel").status == 202)
        try first.kill()
        let second = try data.server("--concurrency", "1")
        try #expect(second.finished(run).outcome == "cancelled")
        try second.stop()
    }

    @Test func `a deleted run stays deleted after a kill`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let run = try first.finished(first.submit(["true"]))
        try #expect(first.send("DELETE", "/runs/\(run.id)").status == 204)
        try first.kill()
        let second = try data.server()
        try #expect(second.get("/runs/\(run.id)").status == 404)
        try second.stop()
    }
}
