import Glibc
import Testing

/// What a client that was answered 202 finds when the server was killed and another one started on its data directory.
struct CrashTests {
    /// A run that goes on until it is ended, and that has begun.
    private func occupy(_ server: ServerProcess, _ script: String = "") throws -> RunReply {
        let nap = Marker.nap()
        let run = try server.submit(["sh", "-c", "\(script)sleep \(nap)"], ["timeoutSeconds": 600])
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        return run
    }

    @Test func `a thousand queued runs run after a kill, in their order, each once`() throws {
        let data = try DataFolder()
        let heard = try AnnouncementListener()
        let first = try data.server("--concurrency", "1", "--allow-host-network")
        let running = try occupy(first)
        let client = try first.client()
        let ids = try (0..<1000).map { number in
            let body = try ServerProcess.body(heard.command(number), ["network": "host"])
            try client.request("POST", "/runs", ["Content-Type: application/json"], body: body)
            let answer = try client.answer()
            try #require(answer.status == 202)
            return try answer.run().id
        }
        try first.kill()
        #expect(heard.numbers().isEmpty)

        let second = try data.server("--concurrency", "1", "--allow-host-network")
        let isDone = try eventually(within: 180) { try second.runs("&state=finished").count == 1001 }
        try #require(isDone)
        #expect(heard.numbers() == Array(0..<1000))
        try #expect(second.runs().map(\.id) == ([running.id] + ids).reversed())
        try #expect(second.runs("&outcome=lost").map(\.id) == [running.id])
        let runs = try ids.map { try second.get("/runs/\($0)").run() }
        #expect(runs.allSatisfy { $0.end == .exited(0) })
        for (earlier, later) in zip(runs, runs.dropFirst()) {
            try #expect(#require(later.startedAt) >= #require(earlier.finishedAt))
        }
        try second.stop()
    }

    @Test func `a run that was running is lost, with what it had written`() throws {
        let data = try DataFolder()
        let first = try data.server()
        let run = try occupy(first, "echo out; echo err >&2; ")
        // It is in its file soon after it was written.
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

    @Test func `a killed server leaves no process, mount or cgroup, and the next one is as any other`() throws {
        let data = try DataFolder()
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

    @Test func `what was finished before a kill is the same after it`() throws {
        let data = try DataFolder()
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

    /// A promise was made of each, and an end that a client has seen stays the end.
    @Test func `an end that was seen just before a kill is the end after it`() throws {
        let data = try DataFolder()
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

    @Test func `a run waits through several kills and its time in the queue adds up`() throws {
        let data = try DataFolder()
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
        // In whole milliseconds before the kill.
        #expect(queued > 0.001 && queued <= waited + 0.01)
        try second.stop()
    }

    @Test func `what is queued when the launcher is killed runs after the next start`() throws {
        let data = try DataFolder()
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

    @Test func `a run that is cancelled stays cancelled after a kill`() throws {
        let data = try DataFolder()
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
        let data = try DataFolder()
        let first = try data.server()
        let run = try first.finished(first.submit(["true"]))
        try #expect(first.send("DELETE", "/runs/\(run.id)").status == 204)
        try first.kill()
        let second = try data.server()
        try #expect(second.get("/runs/\(run.id)").status == 404)
        try second.stop()
    }
}
