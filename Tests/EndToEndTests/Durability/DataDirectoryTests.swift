import Foundation
import Glibc
import TestSupport
import Testing

/// The data directory: retention, damage and the queue.
struct DataDirectoryTests {
    private func refusal(_ data: TemporaryDataDirectory) throws -> ChildProcess.Finished {
        let command = [Host.program, "serve", "--listen", "127.0.0.1:0", "--data-directory", data.path]
        return try ChildProcess(command).finish()
    }

    @Test func `a run of an earlier server is found with its output`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let run = try first.shell("echo out; echo err >&2; exit 3")
        let large = try first.run(["head", "-c", "100000", "/dev/zero"])
        try first.stop()

        let second = try data.server()
        let before = monotonicSeconds()
        let found = try second.get("/runs/\(run.id)?wait=60").run()
        #expect(monotonicSeconds() - before < 30)
        #expect(found.end == .exited(3))
        #expect(found.stdout.text == "out\n")
        try #expect(second.get("/runs/\(run.id)/stderr").text == "err\n")
        try #expect(second.get("/runs/\(large.id)/stdout").body.count == 100_000)
        let tag = try #require(try second.get("/runs/\(run.id)").headers["etag"])
        try #expect(second.get("/runs/\(run.id)", ["If-None-Match: \(tag)"]).status == 304)
        try #expect(second.send("POST", "/runs/\(run.id)/cancel").status == 200)
        try #expect(second.send("DELETE", "/runs/\(large.id)").status == 204)
        #expect(data.outputs.isEmpty)
        try second.stop()
    }

    @Test func `--keep-runs limits the stored runs, also after a restart`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server("--keep-runs", "3")
        let runs = try (0..<5).map { _ in try first.run(["head", "-c", "10000", "/dev/zero"]) }
        let kept = runs.suffix(3).map(\.id)
        try #require(eventually { try first.runs().map(\.id) == kept.reversed() })
        try #require(eventually { try first.get("/runs/\(runs[0].id)").status == 404 })
        try #expect(first.get("/runs/\(runs[1].id)/stdout").status == 404)
        for id in kept { try #expect(first.get("/runs/\(id)").status == 200) }
        #expect(eventually { data.outputs.count == 3 })
        try first.stop()

        let second = try data.server("--keep-runs", "2")
        #expect(try eventually { try second.runs().map(\.id) == kept.suffix(2).reversed() })
        #expect(eventually { data.outputs.count == 2 })
        for run in runs.prefix(3) { try #expect(second.get("/runs/\(run.id)").status == 404) }
        try second.stop()
    }

    @Test func `output whose file was deleted is reported as truncated`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let run = try first.run(["head", "-c", "100000", "/dev/zero"])
        try first.stop()
        try FileManager.default.removeItem(atPath: data.path + "/output/\(run.id).stdout")
        let second = try data.server()
        let found = try second.get("/runs/\(run.id)").run()
        #expect(found.end == .exited(0) && found.stdout.bytes == 100_000 && found.stdout.truncated)
        #expect(found.stdout.text == "")
        let response = try second.get("/runs/\(run.id)/stdout")
        #expect(response.status == 404 && response.headers["content-type"] == "application/problem+json")
        try second.stop()
    }

    @Test func `--keep-runs limits the stored runs under load`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server("--keep-runs", "20", "--concurrency", "4")
        for _ in 0..<5 {
            let runs = try server.runTogether(40, ["head", "-c", "9000", "/dev/zero"])
            #expect(runs.allSatisfy { $0.end == .exited(0) && $0.stdout.bytes == 9000 })
        }
        try #require(eventually { try server.runs().count == 20 })
        #expect(eventually { data.outputs.count == 20 })
        try server.stop()
    }

    @Test func `an unfinished run is never pruned`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server("--keep-runs", "1", "--concurrency", "2")
        let nap = Marker.nap()
        let oldest = try server.submit(["sleep", nap], ["timeoutSeconds": 600])
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        for _ in 0..<5 { _ = try server.run(["true"]) }
        try #require(eventually { try server.runs("&state=finished").count == 1 })
        try #expect(server.get("/runs/\(oldest.id)").run().state == "running")
        _ = try server.send("POST", "/runs/\(oldest.id)/cancel")
        try server.stop()
    }

    @Test(arguments: [0, 100, 8192])
    func `a damaged database is refused and not changed`(offset: UInt64) throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        for _ in 0..<20 { _ = try first.shell("echo hello") }
        let nap = Marker.nap()
        _ = try first.submit(["sh", "-c", "head -c 10000 /dev/zero; sleep \(nap)"])
        try #require(eventually { data.outputs.count == 1 })
        try first.stop()
        let size = try #require(FileManager.default.contents(atPath: data.database)?.count)
        let file = try FileHandle(forUpdating: URL(filePath: data.database))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: Data(repeating: 0xA5, count: size - Int(offset)))
        try file.close()
        let before = try data.contents()

        let refused = try refusal(data)
        #expect(refused.end == .exited(1))
        #expect(refused.diagnostics.contains(data.database))
        #expect(refused.diagnostics.contains("start with an empty one"))
        try #expect(data.contents() == before)
    }

    @Test func `a database of another program is refused`() throws {
        let data = try TemporaryDataDirectory()
        try data.server().stop()
        let file = try FileHandle(forUpdating: URL(filePath: data.database))
        // "Application ID" in the header: <https://sqlite.org/fileformat2.html>.
        try file.seek(toOffset: 68)
        try file.write(contentsOf: Data([1, 2, 3, 4]))
        try file.close()
        let before = try data.contents()
        let refused = try refusal(data)
        #expect(refused.end == .exited(1))
        #expect(refused.diagnostics.contains("another program's database"))
        try #expect(data.contents() == before)
    }

    @Test func `--durability accepts full and refuses unknown levels`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server("--durability", "full")
        try #expect(server.finished(server.submit(["sh", "-c", "exit 2"])).end == .exited(2))
        try server.stop()
        let command = [Host.program, "serve", "--listen", "127.0.0.1:0", "--durability", "some"]
        try #expect(ChildProcess(command).finish().end == .exited(64))
    }

    @Test func `runs beyond the queue limit get 503 until the queue is shorter`() throws {
        try withServer("--concurrency", "1", "--queue-limit", "2") { server in
            let nap = Marker.nap()
            let running = try server.submit(["sleep", nap], ["timeoutSeconds": 600])
            try #require(eventually { !ProcessTable.running(nap).isEmpty })
            let queued = try (0..<2).map { _ in try server.submit(["true"]) }
            let refused = try server.post(try ServerProcess.body(["true"]), query: "?wait=10")
            #expect(refused.status == 503)
            #expect(refused.headers["retry-after"].flatMap { Int($0) } ?? 0 >= 1)
            try #expect(refused.problem().status == 503)
            try #expect(server.runs().count == 3)
            _ = try server.send("POST", "/runs/\(running.id)/cancel")
            for run in queued { try #expect(server.finished(run).end == .exited(0)) }
            try #expect(server.shell("exit 3").end == .exited(3))
        }
    }

    @Test func `usage includes the time in the queue`() throws {
        try withServer("--concurrency", "1") { server in
            let first = try server.submit(["sleep", Marker.nap()])
            let second = try server.submit(["true"])
            // The run is queued for at least as long as this request takes.
            let start = ContinuousClock.now
            #expect(try server.get("/runs/\(second.id)?wait=0.2").run().state == "queued")
            let waited = start.duration(to: .now) / .seconds(1)
            _ = try server.send("POST", "/runs/\(first.id)/cancel")
            try #expect(#require(server.finished(second).usage?.queuedSeconds) >= waited)
            let usage = try #require(server.finished(first).usage)
            try #expect(#require(usage.queuedSeconds) < usage.wallSeconds)
        }
    }
}
