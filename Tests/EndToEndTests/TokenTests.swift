import Foundation
import Glibc
import Testing

/// Principals: who may ask, for what, and what they see of each other.
struct TokenTests {
    private func bearer(_ token: String) -> [String] { ["Authorization: Bearer \(token)"] }

    private func withTokens(
        _ flags: String...,
        body: (TokenFolder, ServerProcess) throws -> Void
    ) throws {
        let tokens = try TokenFolder()
        try tokens.add("unused")
        let server = try ServerProcess(["--tokens", tokens.path] + flags)
        try body(tokens, server)
        try server.stop()
    }

    /// Waits until the server knows a token, which a change of its file leads to.
    private func wait(for token: String, of server: ServerProcess, toGet status: Int) {
        #expect(eventually { (try? server.get("/capabilities", bearer(token)).status) == status })
    }

    @Test func `whoever does not say who it is gets 401, but for the two questions of a load balancer`() throws {
        try withTokens { tokens, server in
            let id = "01JDA6Z8Q4X1S9V7T2M3N5P6R8"
            for (method, target) in [
                ("GET", "/runs"), ("GET", "/runs/\(id)"), ("GET", "/runs/\(id)/stdout"), ("GET", "/capabilities"),
                ("DELETE", "/runs/\(id)"), ("POST", "/runs/\(id)/cancel"), ("GET", "/nowhere"),
            ] {
                let answer = try server.send(method, target)
                #expect(answer.status == 401, "\(method) \(target)")
                #expect(answer.headers["www-authenticate"] == "Bearer realm=\"sandglass\"")
                #expect(try answer.problem().status == 401)
            }
            try #expect(server.post(#"{"command": ["true"]}"#).status == 401)
            try #expect(server.get("/healthz").status == 200)
            try #expect(server.get("/readyz").status == 200)
        }
    }

    @Test func `only a token that is one opens the door`() throws {
        try withTokens { tokens, server in
            let token = try tokens.add("ci")
            wait(for: token, of: server, toGet: 200)
            let wrong = [
                "Bearer \(token.dropLast())", "Bearer \(token)0", "Bearer \(token.uppercased())", "Bearer", "Bearer ",
                "Basic \(token)", token, "Bearer \(token) \(token)", "Bearer  ", "Bearer \(token),", "Bearer ä",
            ]
            for value in wrong {
                let answer = try server.get("/runs", ["Authorization: \(value)"])
                #expect(answer.status == 401, "\(value)")
                #expect(answer.headers["www-authenticate"]?.contains("error=\"invalid_") == true)
            }
            try #expect(server.get("/runs", bearer(token) + bearer(token)).status == 401)
            try #expect(server.get("/runs?access_token=\(token)").status == 401)
            for scheme in ["Bearer", "bearer", "BEARER"] {
                try #expect(server.get("/runs", ["Authorization: \(scheme) \(token)"]).status == 200)
            }
        }
    }

    @Test func `what is kept is no token, and logs have none`() throws {
        let tokens = try TokenFolder()
        let token = try tokens.add("ci", "--role", "admin")
        let file = try String(contentsOfFile: tokens.path, encoding: .utf8)
        #expect(!file.contains(token) && !file.contains(token.dropFirst(10)))
        let server = try ServerProcess(["--tokens", tokens.path])
        try #expect(server.get("/runs", bearer(token)).status == 200)
        try #expect(server.get("/runs", bearer(token + "x")).status == 401)
        server.process.send(signal: SIGTERM)
        let log = try server.process.finish().diagnostics
        #expect(!log.contains(token.dropFirst(10).prefix(16)), "\(log)")
    }

    @Test func `a principal does what its roles allow`() throws {
        try withTokens { tokens, server in
            let runner = try tokens.add("runner", "--role", "run")
            let reader = try tokens.add("reader", "--role", "read")
            wait(for: reader, of: server, toGet: 200)
            let body = Array(#"{"command": ["true"]}"#.utf8)
            let refused = try server.post(body, bearer(reader))
            #expect(refused.status == 403)
            #expect(refused.headers["www-authenticate"]?.contains("scope=\"run\"") == true)
            #expect(try refused.problem().detail.contains("\"run\""))
            let run = try server.post(body, query: "?wait=30", bearer(runner))
            #expect(run.status == 201)
            let id = try run.run().id
            try #expect(server.get("/runs/\(id)", bearer(runner)).status == 403)
            try #expect(server.get("/runs", bearer(runner)).status == 403)
            try #expect(server.get("/runs", bearer(reader)).page().runs.isEmpty)
            try #expect(server.get("/capabilities", bearer(reader)).status == 200)
        }
    }

    @Test func `somebody else's run is not there, and an admin's eyes see all`() throws {
        try withTokens { tokens, server in
            let (ann, bob) = (try tokens.add("ann"), try tokens.add("bob"))
            let admin = try tokens.add("root", "--role", "admin")
            wait(for: admin, of: server, toGet: 200)
            let body = try ServerProcess.body(["sleep", Marker.nap()], ["labels": ["of": "ann"]])
            let id = try server.post(body, bearer(ann)).run().id
            let paths = ["/runs/\(id)", "/runs/\(id)?wait=1", "/runs/\(id)/stdout", "/runs/\(id)/stderr"]
            for path in paths { try #expect(server.get(path, bearer(bob)).status == 404, "\(path)") }
            // Not a word that it is there: the same answer as for one that never was.
            let unknown = "01JDA6Z8Q4X1S9V7T2M3N5P6R8"
            let (theirs, nobodys) = try (
                server.get("/runs/\(id)", bearer(bob)), server.get("/runs/\(unknown)", bearer(bob))
            )
            #expect(theirs.text.replacingOccurrences(of: id, with: unknown) == nobodys.text)
            func act(_ method: String, _ path: String, _ token: String) throws -> Int {
                let client = try server.client()
                try client.request(method, path, bearer(token))
                return try client.answer().status
            }
            #expect(try act("POST", "/runs/\(id)/cancel", bob) == 404)
            #expect(try act("DELETE", "/runs/\(id)", bob) == 404)
            #expect(try server.get("/runs", bearer(bob)).page().runs.isEmpty)
            #expect(try server.get("/runs?label=of:ann", bearer(bob)).page().runs.isEmpty)
            #expect(try server.get("/runs/\(id)", bearer(ann)).run().state == "running")
            #expect(try server.get("/runs/\(id)", bearer(admin)).run().state == "running")
            #expect(try server.get("/runs", bearer(admin)).page().ids == [id])
            #expect(try act("POST", "/runs/\(id)/cancel", ann) == 202)
            #expect(try server.get("/runs/\(id)?wait=30", bearer(ann)).run().outcome == "cancelled")
            // The document is kept ready for whoever asks again: not for everybody.
            _ = try server.get("/runs/\(id)", bearer(ann))
            try #expect(server.get("/runs/\(id)", bearer(bob)).status == 404)
            #expect(try act("DELETE", "/runs/\(id)", bob) == 404)
            #expect(try act("DELETE", "/runs/\(id)", admin) == 204)
            try #expect(server.get("/runs/\(id)", bearer(ann)).status == 404)
        }
    }

    @Test func `a key and a cached result are a principal's own`() throws {
        try withTokens { tokens, server in
            let (ann, bob) = (try tokens.add("ann"), try tokens.add("bob"))
            wait(for: bob, of: server, toGet: 200)
            let body = Array(#"{"command": ["date", "+%N"], "cache": true}"#.utf8)
            let key = ["Idempotency-Key: same"]
            let first = try server.post(body, query: "?wait=30", bearer(ann) + key).run()
            let other = try server.post(body, query: "?wait=30", bearer(bob) + key).run()
            #expect(first.id != other.id)
            #expect(other.cached != true)
            #expect(try server.post(body, query: "?wait=30", bearer(ann)).run().id == first.id)
            #expect(try server.post(body, query: "?wait=30", bearer(bob)).run().id == other.id)
        }
    }

    @Test func `a token that is removed or replaced opens nothing any more, without a restart`() throws {
        try withTokens { tokens, server in
            let (ann, bob) = (try tokens.add("ann"), try tokens.add("bob"))
            wait(for: bob, of: server, toGet: 200)
            let id = try server.post(Array(#"{"command": ["true"]}"#.utf8), query: "?wait=30", bearer(ann)).run().id
            let second = try tokens.add("ann")
            wait(for: second, of: server, toGet: 200)
            try #expect(server.get("/runs/\(id)", bearer(ann)).status == 200)
            let third = try tokens.add("ann", "--replace")
            wait(for: third, of: server, toGet: 200)
            for token in [ann, second] { try #expect(server.get("/runs/\(id)", bearer(token)).status == 401) }
            try #expect(server.get("/runs/\(id)", bearer(third)).status == 200)
            try #expect(tokens.run(["remove", "bob"]).end == .exited(0))
            wait(for: bob, of: server, toGet: 401)
            // What cannot be read changes nothing.
            try tokens.write("{}")
            server.process.send(signal: SIGHUP)
            var line: String?
            repeat { line = try server.process.readErrorLine() } while line?.contains("stay as they were") == false
            try #expect(server.get("/runs/\(id)", bearer(third)).status == 200)
        }
    }

    @Test func `a principal has no more than its limits, and is told how much is left`() throws {
        try withTokens("--concurrency", "4") { tokens, server in
            let few = try tokens.add("few", "--concurrency", "1", "--queue-limit", "1")
            let slow = try tokens.add("slow", "--runs-per-minute", "2")
            let free = try tokens.add("free")
            wait(for: free, of: server, toGet: 200)
            let nap = try ServerProcess.body(["sleep", Marker.nap()])
            #expect(try server.post(nap, bearer(few)).run().state == "running")
            #expect(try server.post(nap, bearer(few)).run().state == "queued")
            let refused = try server.post(nap, bearer(few))
            #expect(refused.status == 429)
            #expect(refused.headers["retry-after"] != nil)
            #expect(try refused.problem().status == 429)
            // It is no matter to others.
            #expect(try server.post(nap, bearer(free)).run().state == "running")

            let quick = Array(#"{"command": ["true"]}"#.utf8)
            let first = try server.post(quick, bearer(slow))
            #expect(first.status == 202)
            #expect(first.headers["ratelimit-policy"] == "\"runs\";q=2;w=60")
            #expect(first.headers["ratelimit"]?.hasPrefix("\"runs\";r=1;t=") == true)
            try #expect(server.post(quick, bearer(slow)).status == 202)
            let third = try server.post(quick, bearer(slow))
            #expect(third.status == 429)
            #expect(third.headers["ratelimit"]?.hasPrefix("\"runs\";r=0;t=") == true)
            let retry = try #require(third.headers["retry-after"].flatMap { Int($0) })
            #expect((1...30).contains(retry))
            try #expect(server.get("/runs", bearer(slow)).status == 200)
            #expect(try server.post(quick, bearer(free)).headers["ratelimit"] == nil)
        }
    }

    @Test func `one principal's waiting runs do not keep another's from their turn`() throws {
        try withTokens("--concurrency", "1") { tokens, server in
            let (ann, bob) = (try tokens.add("ann"), try tokens.add("bob"))
            wait(for: bob, of: server, toGet: 200)
            let nap = try ServerProcess.body(["sleep", "0.2"])
            let first = try (0..<4).map { _ in try server.post(nap, bearer(ann)).run().id }
            let last = try server.post(nap, query: "?wait=30", bearer(bob)).run()
            #expect(last.outcome == "exited")
            #expect(try server.get("/runs/\(first[3])", bearer(ann)).run().state == "queued")
        }
    }

    // MARK: The command

    @Test func `a wrong call of the command changes nothing and says why`() throws {
        let tokens = try TokenFolder()
        try tokens.add("ann")
        let before = try String(contentsOfFile: tokens.path, encoding: .utf8)
        for arguments in [
            ["add", "a b"], ["add", ""], ["add"], ["add", "x", "--role", "write"], ["remove", "nobody"],
            ["add", "x", "--concurrency", "0"], ["add", "x", "--runs-per-minute", "-1"],
        ] {
            let finished = try tokens.run(arguments)
            #expect(finished.end != .exited(0), "\(arguments)")
            #expect(finished.output.isEmpty)
            #expect(!finished.error.isEmpty)
        }
        #expect(try String(contentsOfFile: tokens.path, encoding: .utf8) == before)
        let alone = try ChildProcess([Host.program, "token", "add", "x"]).finish()
        #expect(alone.diagnostics.contains("--tokens"))
        let list = try tokens.run(["list"])
        #expect(String(decoding: list.output, as: UTF8.self) == "ann\trun,read\t1 token\n")
    }

    @Test func `a server does not start with a file of tokens that it cannot read`() throws {
        let tokens = try TokenFolder()
        for text in [nil, "", "{}", "{\"principals\": 1}"] {
            if let text { try tokens.write(text) }
            let finished = try ChildProcess([
                Host.program, "serve", "--listen", "127.0.0.1:0", "--tokens", tokens.path,
            ]).finish()
            #expect(finished.end == .exited(1))
            #expect(finished.diagnostics.contains(tokens.path))
        }
    }
}
