import Foundation
import Glibc
import TestSupport
import Testing

/// Tokens, roles, and the isolation of principals.
struct TokenTests {
    private func bearer(_ token: String) -> [String] { ["Authorization: Bearer \(token)"] }

    private func withTokens(
        _ flags: String...,
        body: (TokenDirectory, ServerProcess) throws -> Void
    ) throws {
        let tokens = try TokenDirectory()
        try tokens.add("unused")
        let server = try ServerProcess(["--tokens", tokens.path] + flags)
        try body(tokens, server)
        try server.stop()
    }

    /// Waits until the server has read the changed token file.
    private func wait(for token: String, of server: ServerProcess, toGet status: Int) {
        #expect(eventually { (try? server.get("/capabilities", bearer(token)).status) == status })
    }

    @Test func `a request without a token gets 401 except for /healthz and /readyz`() throws {
        try withTokens { tokens, server in
            let id = "01JDA6Z8Q4X1S9V7T2M3N5P6R8"
            for (method, target) in [
                ("GET", "/runs"), ("GET", "/runs/\(id)"), ("GET", "/runs/\(id)/stdout"), ("GET", "/capabilities"),
                ("DELETE", "/runs/\(id)"), ("POST", "/runs/\(id)/cancel"), ("GET", "/nowhere"),
            ] {
                let response = try server.send(method, target)
                #expect(response.status == 401, "\(method) \(target)")
                #expect(response.headers["www-authenticate"] == "Bearer realm=\"sandglass\"")
                #expect(try response.problem().status == 401)
            }
            try #expect(server.post(#"{"command": ["true"]}"#).status == 401)
            try #expect(server.get("/healthz").status == 200)
            try #expect(server.get("/readyz").status == 200)
        }
    }

    @Test func `only an exact token is accepted`() throws {
        try withTokens { tokens, server in
            let token = try tokens.add("ci")
            wait(for: token, of: server, toGet: 200)
            let wrong = [
                "Bearer \(token.dropLast())", "Bearer \(token)0", "Bearer \(token.uppercased())", "Bearer", "Bearer ",
                "Basic \(token)", token, "Bearer \(token) \(token)", "Bearer  ", "Bearer \(token),", "Bearer ä",
            ]
            for value in wrong {
                let response = try server.get("/runs", ["Authorization: \(value)"])
                #expect(response.status == 401, "\(value)")
                #expect(response.headers["www-authenticate"]?.contains("error=\"invalid_") == true)
            }
            try #expect(server.get("/runs", bearer(token) + bearer(token)).status == 401)
            try #expect(server.get("/runs?access_token=\(token)").status == 401)
            for scheme in ["Bearer", "bearer", "BEARER"] {
                try #expect(server.get("/runs", ["Authorization: \(scheme) \(token)"]).status == 200)
            }
        }
    }

    @Test func `neither the token file nor the log contains a token`() throws {
        let tokens = try TokenDirectory()
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

    @Test func `a principal can do only what its roles allow`() throws {
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

    @Test func `a principal sees only its own runs, and an admin sees all`() throws {
        try withTokens { tokens, server in
            let (ann, bob) = (try tokens.add("ann"), try tokens.add("bob"))
            let admin = try tokens.add("root", "--role", "admin")
            wait(for: admin, of: server, toGet: 200)
            let body = try ServerProcess.body(["sleep", Marker.nap()], ["labels": ["of": "ann"]])
            let id = try server.post(body, bearer(ann)).run().id
            let paths = ["/runs/\(id)", "/runs/\(id)?wait=1", "/runs/\(id)/stdout", "/runs/\(id)/stderr"]
            for path in paths { try #expect(server.get(path, bearer(bob)).status == 404, "\(path)") }
            // The response does not reveal that the run exists: it is the same as for an unknown id.
            let unknown = "01JDA6Z8Q4X1S9V7T2M3N5P6R8"
            let (foreign, missing) = try (
                server.get("/runs/\(id)", bearer(bob)), server.get("/runs/\(unknown)", bearer(bob))
            )
            #expect(foreign.text.replacingOccurrences(of: id, with: unknown) == missing.text)
            func act(_ method: String, _ path: String, _ token: String) throws -> Int {
                let client = try server.client()
                try client.request(method, path, bearer(token))
                return try client.response().status
            }
            #expect(try act("POST", "/runs/\(id)/cancel", bob) == 404)
            #expect(try act("DELETE", "/runs/\(id)", bob) == 404)
            #expect(try server.get("/runs", bearer(bob)).page().runs.isEmpty)
            #expect(try server.get("/runs?label=of:ann", bearer(bob)).page().runs.isEmpty)
            #expect(try eventually { try server.get("/runs/\(id)", bearer(ann)).run().state == "running" })
            #expect(try server.get("/runs/\(id)", bearer(admin)).run().state == "running")
            #expect(try server.get("/runs", bearer(admin)).page().ids == [id])
            #expect(try act("POST", "/runs/\(id)/cancel", ann) == 202)
            #expect(try server.get("/runs/\(id)?wait=30", bearer(ann)).run().outcome == "cancelled")
            // The server keeps the document ready, but only for those who may read it.
            _ = try server.get("/runs/\(id)", bearer(ann))
            try #expect(server.get("/runs/\(id)", bearer(bob)).status == 404)
            #expect(try act("DELETE", "/runs/\(id)", bob) == 404)
            #expect(try act("DELETE", "/runs/\(id)", admin) == 204)
            try #expect(server.get("/runs/\(id)", bearer(ann)).status == 404)
        }
    }

    @Test func `idempotency keys and cached results belong to one principal`() throws {
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

    @Test func `a removed or replaced token is refused without a restart`() throws {
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
            // An unreadable file changes nothing.
            try tokens.write("{}")
            server.process.send(signal: SIGHUP)
            var line: String?
            repeat {
                line = try server.process.readErrorLine()
            } while line?.contains("the current ones stay in use") == false
            try #expect(server.get("/runs/\(id)", bearer(third)).status == 200)
        }
    }

    @Test func `a principal has limits and is told the remaining rate`() throws {
        try withTokens("--concurrency", "4") { tokens, server in
            let few = try tokens.add("few", "--concurrency", "1", "--queue-limit", "1")
            let slow = try tokens.add("slow", "--runs-per-minute", "2")
            let free = try tokens.add("free")
            wait(for: free, of: server, toGet: 200)
            let nap = try ServerProcess.body(["sleep", Marker.nap()])
            let first = try server.post(nap, bearer(few)).run().id
            let second = try server.post(nap, bearer(few)).run().id
            #expect(try eventually { try server.get("/runs/\(first)", bearer(few)).run().state == "running" })
            #expect(try server.get("/runs/\(second)", bearer(few)).run().state == "queued")
            let refused = try server.post(nap, bearer(few))
            #expect(refused.status == 429)
            #expect(refused.headers["retry-after"] != nil)
            #expect(try refused.problem().status == 429)
            // Other principals are not affected.
            let other = try server.post(nap, bearer(free)).run().id
            #expect(try eventually { try server.get("/runs/\(other)", bearer(free)).run().state == "running" })

            let quick = Array(#"{"command": ["true"]}"#.utf8)
            let accepted = try server.post(quick, bearer(slow))
            #expect(accepted.status == 202)
            #expect(accepted.headers["ratelimit-policy"] == "\"runs\";q=2;w=60")
            #expect(accepted.headers["ratelimit"]?.hasPrefix("\"runs\";r=1;t=") == true)
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

    @Test func `queued runs of one principal do not delay another's`() throws {
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

    @Test func `an invalid call of sandglass token changes nothing and prints a reason`() throws {
        let tokens = try TokenDirectory()
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

    @Test func `a server does not start with an invalid token file`() throws {
        let tokens = try TokenDirectory()
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
