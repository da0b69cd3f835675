import Glibc
import TestSupport
import Testing

/// `Idempotency-Key`: repeated requests return the original run.
@Suite(.timeLimit(.minutes(3)))
struct IdempotencyTests {
    private let uuid = #"{"command":["sh","-c","sleep 0.3; cat /proc/sys/kernel/random/uuid"]}"#
    private let key = "Idempotency-Key: \"the key\""

    private func count(_ server: ServerProcess) throws -> Int {
        try server.get("/runs").text.ranges(of: "\"state\":").count
    }

    @Test func `a hundred concurrent requests with one key create one run`() throws {
        try withServer { server in
            let clients = try (0..<100).map { _ in try server.client() }
            for (number, client) in clients.enumerated() {
                let target = number.isMultiple(of: 2) ? "/runs?wait=60" : "/runs"
                try client.request("POST", target, ["Content-Type: application/json", key], body: Array(uuid.utf8))
            }
            let responses = try clients.map { try $0.response() }
            #expect(responses.map(\.status) == (0..<100).map { $0.isMultiple(of: 2) ? 201 : 202 })
            #expect(Set(try responses.map { try $0.run().id }).count == 1)
            #expect(Set(responses.map { $0.headers["location"] }).count == 1)
            let texts = try responses.map { try $0.run() }.filter { $0.state == "finished" }.map(\.stdout.text)
            #expect(texts.count >= 50 && Set(texts).count == 1)
            #expect(try count(server) == 1)
        }
    }

    @Test func `a key returns its run after a kill of the server`() throws {
        let directory = try TemporaryDirectory()
        var runs: [RunDocument] = []
        for isLast in [false, false, true] {
            let server = try ServerProcess(["--data-directory", directory.path + "/data"])
            if !runs.isEmpty { #expect(try server.post(uuid + " ", [key]).status == 422) }
            let response = try server.post(uuid, query: "?wait=60", [key])
            // The server must have stored the key before it responded, so the test kills it without waiting.
            if !isLast { server.process.send(signal: SIGKILL) }
            #expect(response.status == 201)
            runs.append(try response.run())
            if isLast {
                #expect(try count(server) == 1)
                try server.stop()
            } else {
                #expect(try server.process.wait() == .signaled(SIGKILL))
            }
        }
        #expect(Set(runs.map(\.id)).count == 1 && Set(runs.map(\.stdout.text)).count == 1)
    }

    @Test func `a key whose run was lost returns the lost run`() throws {
        let directory = try TemporaryDirectory()
        let first = try ServerProcess(["--data-directory", directory.path + "/data"])
        let body = #"{"command":["sleep","1000"]}"#
        let id = try first.post(body, [key]).run().id
        first.process.send(signal: SIGKILL)
        _ = try first.process.wait()
        let second = try ServerProcess(["--data-directory", directory.path + "/data"])
        let response = try second.post(body, query: "?wait=60", [key])
        #expect(try response.status == 201 && response.run().id == id && response.run().outcome == "lost")
        try second.stop()
    }

    @Test func `a key with another body gets 422, and another key creates another run`() throws {
        try withServer { server in
            let first = try server.post(uuid, [key]).run().id
            let problem = try server.post(#"{"command":["true"]}"#, [key]).problem()
            #expect(problem.status == 422 && problem.detail.contains("Idempotency-Key") && problem.errors == nil)
            #expect(try server.post(uuid, ["Idempotency-Key: other"]).run().id != first)
            #expect(try server.post(uuid).run().id != first)
            #expect(try server.post(uuid, ["Idempotency-Key: the key"]).status == 400)
        }
    }

    @Test func `a refused request does not use up its key`() throws {
        try withServer("--concurrency", "1", "--queue-limit", "0") { server in
            #expect(try server.post(#"{"command":[]}"#, [key]).status == 422)
            let busy = try server.submit(["sleep", "1000"])
            #expect(try server.post(uuid, [key]).status == 503)
            let client = try server.client()
            try client.request("POST", "/runs/\(busy.id)/cancel")
            _ = try client.response()
            _ = try server.finished(busy)
            let response = try server.post(#"{"command":["echo"]}"#, query: "?wait=60", [key])
            #expect(try response.status == 201 && response.run().end == .exited(0))
        }
    }

    @Test func `a key whose run was deleted gets 409`() throws {
        try withServer { server in
            let run = try server.post(uuid, query: "?wait=60", [key]).run()
            let client = try server.client()
            try client.request("DELETE", "/runs/\(run.id)")
            #expect(try client.response().status == 204)
            let problem = try server.post(uuid, [key]).problem()
            #expect(problem.status == 409 && problem.detail.contains(run.id))
            #expect(try count(server) == 0)
        }
    }
}

/// The cache of results: `"cache": true`.
@Suite(.timeLimit(.minutes(3)))
struct CacheTests {
    /// A command that writes something else each time.
    private let uuid = ["sh", "-c", "sleep 0.3; cat /proc/sys/kernel/random/uuid"]

    private func cached(
        _ server: ServerProcess,
        _ command: [String],
        _ members: [String: Any] = [:]
    ) throws -> RunDocument {
        try server.run(command, members.merging(["cache": true]) { _, new in new })
    }

    @Test func `a cached result is returned at once, also after a kill of the server`() throws {
        let directory = try TemporaryDirectory()
        let first = try ServerProcess(["--data-directory", directory.path + "/data"])
        let run = try cached(first, uuid)
        #expect(run.cached == nil && run.end == .exited(0))
        let again = try cached(first, uuid, ["labels": ["a": "b"]])
        #expect(again.cached == true && again.id == run.id && again.stdout == run.stdout)
        #expect(try first.run(uuid).stdout != run.stdout)
        #expect(try first.get("/runs/\(run.id)").run().cached == nil)
        first.process.send(signal: SIGKILL)
        _ = try first.process.wait()
        let second = try ServerProcess(["--data-directory", directory.path + "/data"])
        let last = try cached(second, uuid)
        #expect(last.cached == true)
        let response = try second.post(ServerProcess.body(uuid, ["cache": true]))
        #expect(response.status == 202 && response.headers["location"] == "/runs/\(last.id)")
        #expect(try response.run().stdout == last.stdout)
        try second.stop()
    }

    @Test func `a run that differs in any member is executed`() throws {
        try withServer { server in
            let command = ["sh", "-c", "cat /proc/sys/kernel/random/uuid"]
            var texts = [try cached(server, command).stdout.text]
            let differences: [[String: Any]] = [
                ["env": ["A": "1"]], ["workingDirectory": "/tmp"], ["stdin": "x"], ["timeoutSeconds": 9],
                ["graceSeconds": 1], ["onOutputLimit": "kill"], ["limits": ["cpuSeconds": 3]],
                ["limits": ["memoryBytes": 256 << 20]], ["limits": ["processes": 9]], ["limits": ["outputBytes": 999]],
                ["limits": ["diskBytes": 1 << 20]], ["limits": ["openFiles": 99]],
            ]
            for difference in differences {
                let run = try cached(server, command, difference)
                #expect(run.cached == nil, "\(difference)")
                texts.append(run.stdout.text)
            }
            texts.append(try cached(server, command + ["x"]).stdout.text)
            #expect(Set(texts).count == differences.count + 2)
        }
    }

    @Test func `identical concurrent runs are executed once`() throws {
        try withServer("--concurrency", "8") { server in
            let runs = try server.runTogether(30, uuid, ["cache": true])
            #expect(Set(runs.map(\.stdout.text)).count == 1 && Set(runs.map(\.id)).count == 1)
            #expect(runs.count { $0.cached == true } == 29)
        }
    }

    @Test func `identical runs are executed each if the first does not exit`() throws {
        try withServer("--concurrency", "8") { server in
            let script = "sleep 0.3; cat /proc/sys/kernel/random/uuid; kill -9 $$"
            let runs = try server.runTogether(5, ["sh", "-c", script], ["cache": true])
            #expect(runs.allSatisfy { $0.end == .signaled("SIGKILL") && $0.cached == nil })
            #expect(Set(runs.map(\.stdout.text)).count == 5)
        }
    }

    @Test func `a client that does not wait gets the run in progress`() throws {
        try withServer { server in
            let first = try server.submit(uuid, ["cache": true])
            let second = try server.submit(uuid, ["cache": true])
            #expect(second.id == first.id && second.cached == true && second.state != "finished")
        }
    }

    @Test func `a run that did not exit is not a cached result`() throws {
        try withServer { server in
            let members: [String: Any] = ["timeoutSeconds": 0.1]
            let first = try cached(server, ["sleep", "1000"], members)
            let second = try cached(server, ["sleep", "1000"], members)
            #expect(first.end == .timedOut && second.end == .timedOut && second.cached == nil && first.id != second.id)
        }
    }

    @Test func `a run on the host's network cannot be cached`() throws {
        try withServer("--allow-host-network") { server in
            let problem = try server.post(#"{"command":["true"],"cache":true,"network":"host"}"#).problem()
            #expect(problem.status == 422 && problem.pointers == ["/cache"])
        }
    }
}
