import Glibc
import TestSupport
import Testing

/// More runs than the concurrency limit.
struct QueueTests {
    @Test func `queued runs start in the order of their creation`() throws {
        try withServer("--concurrency", "1") { server in
            let runs = try (0..<8).map { _ in try server.submit(["sleep", "0.05"]) }
            let finished = try runs.map { try server.finished($0) }
            #expect(finished.allSatisfy { $0.end == .exited(0) })
            for (earlier, later) in zip(finished, finished.dropFirst()) {
                try #expect(#require(later.startedAt) >= #require(earlier.finishedAt))
            }
        }
    }

    @Test func `at most the allowed number of commands runs at once`() throws {
        try withServer("--concurrency", "3") { server in
            let nap = Marker.nap()
            let runs = try (0..<7).map { _ in try server.submit(["sleep", nap], ["timeoutSeconds": 60]) }
            for remaining in stride(from: 7, to: 0, by: -1) {
                let running = min(remaining, 3)
                #expect(eventually { ProcessTable.running(nap).count == running })
                // The server reports the end of a run a little after the end of its process.
                let isReported = try eventually {
                    let states = try runs.map { try server.get("/runs/\($0.id)").run().state }
                    return states.count { $0 == "running" } == running
                        && states.count { $0 == "queued" } == remaining - running
                }
                #expect(isReported)
                #expect(ProcessTable.running(nap).count == running)
                // The next run starts when one ends.
                let pid = try #require(ProcessTable.running(nap).first)
                kill(pid, SIGKILL)
                #expect(eventually { !ProcessTable.running(nap).contains(pid) })
            }
            for run in runs { try #expect(server.finished(run).end == .signaled("SIGKILL")) }
        }
    }

    @Test func `time in the queue does not count against the timeout`() throws {
        try withServer("--concurrency", "1") { server in
            let first = try server.submit(["sleep", "1"])
            let second = try server.submit(["sh", "-c", "exit 5"], ["timeoutSeconds": 0.5])
            let queued = try server.get("/runs/\(second.id)").run()
            #expect(queued.state == "queued")
            #expect(queued.startedAt == nil)
            #expect(queued.end == .unfinished)
            try #expect(server.finished(second).end == .exited(5))
            try #expect(server.get("/runs/\(first.id)").run().end == .exited(0))
        }
    }

    @Test func `a client can wait for a queued run`() throws {
        try withServer("--concurrency", "1") { server in
            _ = try server.submit(["sleep", "0.3"])
            try #expect(server.shell("exit 3").end == .exited(3))
        }
    }

    @Test func `a run that cannot start does not block the queue`() throws {
        try withServer("--concurrency", "1") { server in
            let runs = try (0..<6).map { number in
                try server.submit(number % 2 == 0 ? ["/no/such"] : ["sh", "-c", "exit \(number)"])
            }
            let ends = try runs.map { try server.finished($0).end }
            #expect(ends == [.startFailed, .exited(1), .startFailed, .exited(3), .startFailed, .exited(5)])
        }
    }
}

/// `POST /runs/{id}/cancel` and `DELETE /runs/{id}`.
struct CancelTests {
    private func sleeping(_ server: ServerProcess, _ members: [String: Any] = [:]) throws -> RunDocument {
        let nap = Marker.nap()
        let run = try server.submit(["sleep", nap], members.merging(["timeoutSeconds": 600]) { own, _ in own })
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        return run
    }

    @Test func `a running run can be cancelled`() throws {
        try withServer { server in
            let run = try sleeping(server)
            let response = try server.send("POST", "/runs/\(run.id)/cancel")
            #expect(response.status == 202)
            try #expect(response.run().id == run.id)
            let finished = try server.finished(run)
            #expect(finished.outcome == "cancelled")
            #expect(finished.signal?.name == "SIGKILL")
            #expect(finished.usage != nil)
        }
    }

    @Test func `a cancelled queued run never starts`() throws {
        try withServer("--concurrency", "1") { server in
            let running = try sleeping(server)
            let run = try server.submit(["true"])
            let waiting = try server.client()
            try waiting.request("GET", "/runs/\(run.id)?wait=60")
            let response = try server.send("POST", "/runs/\(run.id)/cancel")
            #expect(response.status == 202)
            let finished = try waiting.response().run()
            #expect(finished.outcome == "cancelled")
            #expect(finished.startedAt == nil && finished.signal == nil && finished.usage == nil)
            _ = try server.send("POST", "/runs/\(running.id)/cancel")
            // The next run can start.
            try #expect(server.shell("exit 3").end == .exited(3))
        }
    }

    @Test func `a cancelled run may use its grace period`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = "trap 'exit 7' TERM; while :; do sleep 0.01; done # \(word)"
            let run = try server.submit(["bash", "-c", script], ["graceSeconds": 30, "timeoutSeconds": 600])
            try #require(eventually { !ProcessTable.running(word).isEmpty })
            // The trap is set when the shell has a child.
            try #require(eventually { ProcessTable.all().contains { $0.parent == ProcessTable.running(word).first } })
            try #expect(server.send("POST", "/runs/\(run.id)/cancel").status == 202)
            let finished = try server.finished(run)
            #expect(finished.outcome == "cancelled")
            #expect(finished.exitCode == 7)
        }
    }

    @Test func `cancelling a finished run does not change it`() throws {
        try withServer { server in
            let run = try server.shell("exit 3")
            for _ in 0..<2 {
                let response = try server.send("POST", "/runs/\(run.id)/cancel")
                #expect(response.status == 200)
                try #expect(response.run().end == .exited(3))
            }
        }
    }

    @Test(arguments: ["01JDA6Z8Q4X1S9V7T2M3N5P6R8", "nothing"])
    func `an unknown run can be neither cancelled nor deleted`(id: String) throws {
        try withServer { server in
            for response in try [server.send("POST", "/runs/\(id)/cancel"), server.send("DELETE", "/runs/\(id)")] {
                #expect(response.status == 404)
                try #expect(response.problem().status == 404)
            }
        }
    }

    @Test func `a finished run is deleted with its output`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server()
        let run = try server.run(["head", "-c", "100000", "/dev/zero"])
        #expect(data.outputs.count == 1)
        // The second response is the document that the server keeps ready.
        for _ in 0..<2 { try #expect(server.get("/runs/\(run.id)").status == 200) }
        let response = try server.send("DELETE", "/runs/\(run.id)")
        #expect(response.status == 204)
        #expect(response.body.isEmpty)
        #expect(data.outputs.isEmpty)
        for target in ["", "/stdout", "?wait=10"] { try #expect(server.get("/runs/\(run.id)\(target)").status == 404) }
        try #expect(server.runs().isEmpty)
        try #expect(server.send("DELETE", "/runs/\(run.id)").status == 404)
        try server.stop()
    }

    @Test func `an unfinished run cannot be deleted`() throws {
        try withServer("--concurrency", "1") { server in
            let running = try sleeping(server)
            let queued = try server.submit(["true"])
            for run in [running, queued] {
                let response = try server.send("DELETE", "/runs/\(run.id)")
                #expect(response.status == 409)
                try #expect(response.problem().status == 409)
            }
            _ = try server.send("POST", "/runs/\(running.id)/cancel")
            try #expect(server.finished(queued).end == .exited(0))
        }
    }
}
