import Glibc
import Testing

/// `POST /runs/{id}/cancel` and `DELETE /runs/{id}`.
struct CancelTests {
    private func sleeping(_ server: ServerProcess, _ members: [String: Any] = [:]) throws -> RunReply {
        let nap = Marker.nap()
        let run = try server.submit(["sleep", nap], members.merging(["timeoutSeconds": 600]) { own, _ in own })
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        return run
    }

    @Test func `a running run is cancelled`() throws {
        try withServer { server in
            let run = try sleeping(server)
            let answer = try server.send("POST", "/runs/\(run.id)/cancel")
            #expect(answer.status == 202)
            try #expect(answer.run().id == run.id)
            let finished = try server.finished(run)
            #expect(finished.outcome == "cancelled")
            #expect(finished.signal?.name == "SIGKILL")
            #expect(finished.usage != nil)
        }
    }

    @Test func `a queued run is cancelled and never begins`() throws {
        try withServer("--concurrency", "1") { server in
            let running = try sleeping(server)
            let run = try server.submit(["true"])
            let waiting = try server.client()
            try waiting.request("GET", "/runs/\(run.id)?wait=60")
            let answer = try server.send("POST", "/runs/\(run.id)/cancel")
            #expect(answer.status == 202)
            let finished = try waiting.answer().run()
            #expect(finished.outcome == "cancelled")
            #expect(finished.startedAt == nil && finished.signal == nil && finished.usage == nil)
            _ = try server.send("POST", "/runs/\(running.id)/cancel")
            // The place that it had is free for the next one.
            try #expect(server.shell("exit 3").end == .exited(3))
        }
    }

    @Test func `a cancelled run may use its grace period`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = "trap 'exit 7' TERM; while :; do sleep 0.01; done # \(word)"
            let run = try server.submit(["bash", "-c", script], ["graceSeconds": 30, "timeoutSeconds": 600])
            try #require(eventually { !ProcessTable.running(word).isEmpty })
            // Its trap is set when it has a child.
            try #require(eventually { ProcessTable.all().contains { $0.parent == ProcessTable.running(word).first } })
            try #expect(server.send("POST", "/runs/\(run.id)/cancel").status == 202)
            let finished = try server.finished(run)
            #expect(finished.outcome == "cancelled")
            #expect(finished.exitCode == 7)
        }
    }

    @Test func `a finished run is not changed by a cancel`() throws {
        try withServer { server in
            let run = try server.shell("exit 3")
            for _ in 0..<2 {
                let answer = try server.send("POST", "/runs/\(run.id)/cancel")
                #expect(answer.status == 200)
                try #expect(answer.run().end == .exited(3))
            }
        }
    }

    @Test(arguments: ["01JDA6Z8Q4X1S9V7T2M3N5P6R8", "nothing"])
    func `an unknown run can be neither cancelled nor forgotten`(id: String) throws {
        try withServer { server in
            for answer in try [server.send("POST", "/runs/\(id)/cancel"), server.send("DELETE", "/runs/\(id)")] {
                #expect(answer.status == 404)
                try #expect(answer.problem().status == 404)
            }
        }
    }

    @Test func `a finished run is forgotten with its output`() throws {
        let data = try DataFolder()
        let server = try data.server()
        let run = try server.run(["head", "-c", "100000", "/dev/zero"])
        #expect(data.outputs.count == 1)
        // Also what was rendered for those who ask again.
        for _ in 0..<2 { try #expect(server.get("/runs/\(run.id)").status == 200) }
        let answer = try server.send("DELETE", "/runs/\(run.id)")
        #expect(answer.status == 204)
        #expect(answer.body.isEmpty)
        #expect(data.outputs.isEmpty)
        for target in ["", "/stdout", "?wait=10"] { try #expect(server.get("/runs/\(run.id)\(target)").status == 404) }
        try #expect(server.runs().isEmpty)
        try #expect(server.send("DELETE", "/runs/\(run.id)").status == 404)
        try server.stop()
    }

    @Test func `a run that is not finished is not forgotten`() throws {
        try withServer("--concurrency", "1") { server in
            let running = try sleeping(server)
            let queued = try server.submit(["true"])
            for run in [running, queued] {
                let answer = try server.send("DELETE", "/runs/\(run.id)")
                #expect(answer.status == 409)
                try #expect(answer.problem().status == 409)
            }
            _ = try server.send("POST", "/runs/\(running.id)/cancel")
            try #expect(server.finished(queued).end == .exited(0))
        }
    }
}
