import Glibc
import Testing

@Suite(.timeLimit(.minutes(3))) struct IdempotencyTests {
    private let uuid = #"{"command":["sh","-c","sleep 0.3; cat /proc/sys/kernel/random/uuid"]}"#
    private let key = "Idempotency-Key: \"the key\""

    private func count(_ server: ServerProcess) throws -> Int {
        try server.get("/runs").text.ranges(of: "\"state\":").count
    }

    @Test func `a hundred requests with one key at once are one run, whether or not they wait`() throws {
        try withServer { server in
            let clients = try (0..<100).map { _ in try server.client() }
            for (number, client) in clients.enumerated() {
                let target = number.isMultiple(of: 2) ? "/runs?wait=60" : "/runs"
                try client.request("POST", target, ["Content-Type: application/json", key], body: Array(uuid.utf8))
            }
            let answers = try clients.map { try $0.answer() }
            #expect(answers.map(\.status) == (0..<100).map { $0.isMultiple(of: 2) ? 201 : 202 })
            #expect(Set(try answers.map { try $0.run().id }).count == 1)
            #expect(Set(answers.map { $0.headers["location"] }).count == 1)
            let texts = try answers.map { try $0.run() }.filter { $0.state == "finished" }.map(\.stdout.text)
            #expect(texts.count >= 50 && Set(texts).count == 1)
            #expect(try count(server) == 1)
        }
    }

    @Test func `a key that was answered stands for its run after kill -9 and a restart`() throws {
        let folder = try TemporaryFolder()
        var runs: [RunReply] = []
        for isLast in [false, false, true] {
            let server = try ServerProcess(["--data-directory", folder.path + "/data"])
            if !runs.isEmpty { #expect(try server.post(uuid + " ", [key]).status == 422) }
            let answer = try server.post(uuid, query: "?wait=60", [key])
            // Whatever has left is remembered: nothing is waited for here.
            if !isLast { server.process.send(signal: SIGKILL) }
            #expect(answer.status == 201)
            runs.append(try answer.run())
            if isLast {
                #expect(try count(server) == 1)
                try server.stop()
            } else {
                #expect(try server.process.wait() == .signaled(SIGKILL))
            }
        }
        #expect(Set(runs.map(\.id)).count == 1 && Set(runs.map(\.stdout.text)).count == 1)
    }

    @Test func `a run that was killed with its server is lost to its key too, and not run again`() throws {
        let folder = try TemporaryFolder()
        let first = try ServerProcess(["--data-directory", folder.path + "/data"])
        let body = #"{"command":["sleep","1000"]}"#
        let id = try first.post(body, [key]).run().id
        first.process.send(signal: SIGKILL)
        _ = try first.process.wait()
        let second = try ServerProcess(["--data-directory", folder.path + "/data"])
        let answer = try second.post(body, query: "?wait=60", [key])
        #expect(try answer.status == 201 && answer.run().id == id && answer.run().outcome == "lost")
        try second.stop()
    }

    @Test func `another body is a problem that says so, and another key another run`() throws {
        try withServer { server in
            let first = try server.post(uuid, [key]).run().id
            let problem = try server.post(#"{"command":["true"]}"#, [key]).problem()
            #expect(problem.status == 422 && problem.detail.contains("Idempotency-Key") && problem.errors == nil)
            #expect(try server.post(uuid, ["Idempotency-Key: other"]).run().id != first)
            #expect(try server.post(uuid).run().id != first)
            #expect(try server.post(uuid, ["Idempotency-Key: the key"]).status == 400)
        }
    }

    @Test func `a request that is refused does not take its key`() throws {
        try withServer("--concurrency", "1", "--queue-limit", "0") { server in
            #expect(try server.post(#"{"command":[]}"#, [key]).status == 422)
            let busy = try server.submit(["sleep", "1000"])
            #expect(try server.post(uuid, [key]).status == 503)
            let client = try server.client()
            try client.request("POST", "/runs/\(busy.id)/cancel")
            _ = try client.answer()
            _ = try server.finished(busy)
            let answer = try server.post(#"{"command":["echo"]}"#, query: "?wait=60", [key])
            #expect(try answer.status == 201 && answer.run().end == .exited(0))
        }
    }

    @Test func `a key whose run was deleted is a conflict`() throws {
        try withServer { server in
            let run = try server.post(uuid, query: "?wait=60", [key]).run()
            let client = try server.client()
            try client.request("DELETE", "/runs/\(run.id)")
            #expect(try client.answer().status == 204)
            let problem = try server.post(uuid, [key]).problem()
            #expect(problem.status == 409 && problem.detail.contains(run.id))
            #expect(try count(server) == 0)
        }
    }
}
