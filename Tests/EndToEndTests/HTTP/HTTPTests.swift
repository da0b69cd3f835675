import TestSupport
import Testing

/// The API: runs, waiting, methods and errors.
struct HTTPTests {
    private func expectProblem(
        _ response: HTTPResponse,
        _ status: Int,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(response.status == status, "\(response.text)", sourceLocation: sourceLocation)
        #expect(response.headers["content-type"] == "application/problem+json", sourceLocation: sourceLocation)
        let problem = try response.problem()
        #expect(problem.status == status, sourceLocation: sourceLocation)
        #expect(
            !problem.title.isEmpty && !problem.detail.isEmpty && !problem.type.isEmpty,
            sourceLocation: sourceLocation
        )
    }

    private func response(
        _ server: ServerProcess,
        _ method: String,
        _ target: String,
        _ headers: [String] = [],
        body: String? = nil
    ) throws -> HTTPResponse {
        let client = try server.client()
        try client.request(method, target, headers, body: body.map { Array($0.utf8) })
        return try client.response(toHead: method == "HEAD")
    }

    // MARK: Runs

    @Test func `an accepted run is found at its location`() throws {
        try withServer { server in
            let response = try server.post(#"{"command":["echo","hi"]}"#)
            #expect(response.status == 202)
            #expect(response.headers["content-type"] == "application/json")
            #expect(response.headers["preference-applied"] == nil)
            let run = try response.run()
            #expect(response.headers["location"] == "/runs/\(run.id)")
            #expect(run.command == ["echo", "hi"])
            let later = try server.get("/runs/\(run.id)?wait=60")
            #expect(later.status == 200)
            try #expect(later.run().end == .exited(0))
            try #expect(later.run().stdout.text == "hi\n")
        }
    }

    @Test func `the document of a run has every member`() throws {
        try withServer { server in
            let response = try server.post(#"{"command":["echo","hi"]}"#, query: "?wait=60")
            let members = [
                "id", "state", "outcome", "exitCode", "signal", "timedOut", "error", "stdout", "stderr", "artifacts",
                "usage", "limits", "enforcement", "createdAt", "startedAt", "finishedAt", "command", "labels",
            ]
            for member in members { #expect(response.text.contains("\"\(member)\":"), "\(member)") }
            let run = try response.run()
            let time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/
            #expect(run.createdAt.wholeMatch(of: time) != nil)
            try #expect(#require(run.startedAt).wholeMatch(of: time) != nil)
            try #expect(#require(run.finishedAt).wholeMatch(of: time) != nil)
            #expect(run.id.wholeMatch(of: /[0-7][0-9A-HJKMNP-TV-Z]{25}/) != nil)
        }
    }

    @Test func `run ids sort by creation time`() throws {
        try withServer { server in
            let names = try (0..<50).map { _ in try server.submit(["true"]).id }
            #expect(names == names.sorted())
            #expect(Set(names).count == 50)
        }
    }

    // MARK: Waiting

    @Test func `a waiting client gets the finished run, or the unfinished one after its time`() throws {
        try withServer { server in
            let quick = try server.post(#"{"command":["true"]}"#, ["Prefer: wait=60"])
            #expect(quick.status == 201)
            #expect(quick.headers["preference-applied"] == "wait=60")
            try #expect(quick.headers["location"] == "/runs/\(quick.run().id)")
            try #expect(quick.run().state == "finished")

            let slow = try server.post(#"{"command":["sleep","60"]}"#, ["Prefer: respond-async, wait=1"])
            #expect(slow.status == 202)
            #expect(slow.headers["preference-applied"] == "wait=1")
            try #expect(slow.run().state == "running")
            try #expect(slow.run().end == .unfinished)
        }
    }

    @Test func `the query's wait accepts fractions and refuses malformed values`() throws {
        try withServer { server in
            let slow = try server.post(#"{"command":["sleep","60"]}"#, query: "?wait=0.2")
            #expect(slow.status == 202)
            #expect(slow.headers["preference-applied"] == nil)
            for wait in ["", "x", "-1", "nan", "inf"] {
                try expectProblem(server.post(#"{"command":["true"]}"#, query: "?wait=\(wait)"), 400)
            }
            try #expect(server.post(#"{"command":["true"]}"#, query: "?wait=0").status == 202)
        }
    }

    @Test func `a malformed preference is ignored`() throws {
        try withServer { server in
            for preference in ["wait=x", "wait", "wait=-1", "return=minimal"] {
                let response = try server.post(#"{"command":["true"]}"#, ["Prefer: \(preference)"])
                #expect(response.status == 202)
                #expect(response.headers["preference-applied"] == nil)
            }
        }
    }

    @Test func `twenty clients can wait for one run`() throws {
        try withServer { server in
            let run = try server.submit(["sh", "-c", "sleep 0.3; exit 4"])
            let clients = try (0..<20).map { _ in try server.client() }
            for client in clients { try client.request("GET", "/runs/\(run.id)", ["Prefer: wait=60"]) }
            for client in clients {
                let response = try client.response()
                #expect(response.status == 200)
                #expect(response.headers["preference-applied"] == "wait=60")
                try #expect(response.run().end == .exited(4))
            }
        }
    }

    @Test(arguments: ["", "?wait=60"])
    func `a client that closed its sending side gets its response`(query: String) throws {
        try withServer { server in
            let client = try server.client()
            let body = try ServerProcess.body(["sh", "-c", "exit 6"])
            try client.request("POST", "/runs\(query)", ["Content-Type: application/json"], body: body)
            client.finishSending()
            let response = try client.response()
            #expect(response.status == 201 || response.status == 202)
            try #expect(server.finished(response.run()).end == .exited(6))
        }
    }

    @Test func `one connection serves many requests`() throws {
        try withServer { server in
            let client = try server.client()
            for code in 0..<20 {
                let body = try ServerProcess.body(["sh", "-c", "exit \(code)"])
                try client.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
                try #expect(client.response().run().end == .exited(code))
            }
        }
    }

    // MARK: Errors

    @Test func `unknown paths get 404`() throws {
        try withServer { server in
            for path in ["/", "/run", "/runs/", "/runs/x", "/runs/01JDA6Z8Q4X1S9V7T2M3N5P6R8", "/runs/%2e%2e/x"] {
                let response = try server.get(path)
                #expect(response.status == (path.contains("%2e") ? 400 : 404), "\(path)")
                #expect(response.headers["content-type"] == "application/problem+json")
            }
            let run = try server.run(["true"])
            try expectProblem(server.get("/runs/\(run.id)/stdin"), 404)
        }
    }

    @Test func `an unsupported method gets 405 and the allowed ones`() throws {
        try withServer { server in
            let cases = [
                ("DELETE", "/runs"), ("PUT", "/healthz"), ("PATCH", "/runs/01JDA6Z8Q4X1S9V7T2M3N5P6R8"),
                ("GET", "/runs/01JDA6Z8Q4X1S9V7T2M3N5P6R8/cancel"),
            ]
            for (method, path) in cases {
                let response = try response(server, method, path)
                try expectProblem(response, 405)
                let allowed = try #require(response.headers["allow"])
                #expect(!allowed.isEmpty && !allowed.contains(method))
            }
            try #expect(response(server, "OPTIONS", "/runs").status == 204)
            try #expect(#require(response(server, "OPTIONS", "/runs").headers["allow"]).contains("POST"))
        }
    }

    @Test func `HEAD has the header fields of GET`() throws {
        try withServer { server in
            let run = try server.run(["echo", "hello"])
            for path in ["/healthz", "/runs/\(run.id)", "/runs/\(run.id)/stdout"] {
                let whole = try server.get(path)
                let head = try response(server, "HEAD", path)
                #expect(head.status == 200)
                #expect(head.headers["content-length"] == "\(whole.body.count)")
                #expect(head.headers["content-type"] == whole.headers["content-type"])
            }
        }
    }

    @Test func `a body without a JSON content type gets 415`() throws {
        try withServer { server in
            let types = ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data"]
            let body = #"{"command":["true"]}"#
            for type in types {
                try expectProblem(response(server, "POST", "/runs", ["Content-Type: \(type)"], body: body), 415)
            }
            try expectProblem(response(server, "POST", "/runs", body: body), 415)
            let charset = try response(
                server,
                "POST",
                "/runs",
                ["Content-Type: Application/JSON; charset=utf-8"],
                body: body
            )
            #expect(charset.status == 202)
        }
    }

    @Test func `oversized bodies, targets and header fields are refused`() throws {
        try withServer { server in
            let client = try server.client()
            let head = "POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            try client.send(head + "Content-Length: 40000000\r\n\r\n")
            try expectProblem(client.response(), 413)
            try expectProblem(server.get("/" + String(repeating: "x", count: 9000)), 414)
            try expectProblem(server.get("/healthz", ["X: " + String(repeating: "x", count: 20_000)]), 431)
        }
    }

    @Test func `foreign hosts and origins are refused`() throws {
        try withServer { server in
            try expectProblem(server.get("/healthz", ["Host: evil.example"]), 421)
            try expectProblem(server.get("/healthz", ["Host: localhost", "Origin: http://evil.example"]), 403)
            try expectProblem(server.get("/healthz", ["Host: localhost", "Origin: null"]), 403)
            try expectProblem(server.post(#"{"command":["true"]}"#, ["Origin: http://evil.example"]), 403)
            try #expect(server.get("/healthz", ["Host: 127.0.0.1:\(server.port)"]).status == 200)
        }
    }

    @Test func `an unknown query parameter is refused`() throws {
        try withServer { server in
            try expectProblem(server.post(#"{"command":["true"]}"#, query: "?wiat=1"), 400)
            try expectProblem(server.get("/healthz?wait=1"), 400)
        }
    }

    @Test func `a running server is healthy`() throws {
        try withServer { server in
            try #expect(server.get("/healthz").status == 200)
        }
    }
}
