import Foundation
import Glibc
import TestSupport
import Testing

/// The server's log on standard error.
struct LogTests {
    /// Reads log lines until one has this member, and returns it.
    private func line(_ server: ServerProcess, where name: String, is value: String) throws -> [String: Any] {
        while let line = try server.process.readErrorLine() {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
            if object[name] as? String == value { return object }
        }
        throw CancellationError()
    }

    @Test func `the log has the start and each request`() throws {
        let server = try ServerProcess(["--log-format", "json", "--access-log", "--concurrency", "3"])
        let started = try line(server, where: "message", is: "started")
        #expect(started["address"] as? String == "http://127.0.0.1:\(server.port)")
        #expect(started["concurrency"] as? Int == 3)
        #expect(started["level"] as? String == "info")
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let headers = ["X-Request-Id: mine-1", "traceparent: \(parent)"]
        let run = try server.post(try ServerProcess.body(["true"]), query: "?wait=60", headers).run()
        let posted = try line(server, where: "request", is: "mine-1")
        #expect(posted["method"] as? String == "POST")
        #expect(posted["path"] as? String == "/runs")
        #expect(posted["status"] as? Int == 201)
        #expect(posted["client"] as? String == "127.0.0.1")
        #expect(posted["run"] as? String == run.id)
        #expect(posted["trace"] as? String == "0af7651916cd43dd8448eb211c80319c")
        #expect((posted["bytes"] as? Int ?? 0) > 100)
        #expect((posted["seconds"] as? Double ?? 0) > 0)
        #expect((posted["time"] as? String)?.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/#) != nil)

        let client = try server.client()
        try client.send("GET /a%0Ab HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        try #expect(client.response().status == 400)
        // The server refused the request before it gave it an id. The log line has an id nevertheless.
        let refused = try line(server, where: "path", is: "/a%0Ab")
        #expect(refused["status"] as? Int == 400)
        #expect((refused["request"] as? String)?.utf8.count == 32)
        try server.stop()
    }

    @Test func `the log contains no data of clients`() throws {
        let secret = "s3cret"
        let arguments = [
            Host.program, "serve", "--listen", "127.0.0.1:0", "--log-level", "trace", "--access-log",
            "--pass-traceparent",
        ]
        for format in ["text", "json"] {
            let server = try ServerProcess(Array(arguments.dropFirst(4)) + ["--log-format", format])
            let members: [String: Any] = [
                "env": ["A": secret], "stdin": secret, "labels": ["a": secret], "workingDirectory": "/\(secret)",
            ]
            let headers = ["Authorization: Bearer \(secret)", "Cookie: \(secret)", "Idempotency-Key: \(secret)"]
            for command in [["/bin/sh", "-c", "echo \(secret); echo \(secret) >&2"], ["/\(secret)"]] {
                _ = try server.post(ServerProcess.body(command, members), query: "?wait=60", headers)
                _ = try server.post(ServerProcess.body(command), query: "?wait=60")
            }
            _ = try server.get("/runs?label=a:\(secret)", headers)
            _ = try server.get("/healthz?\(secret)=1", ["X-Request-Id: \(secret) " + "x"])
            _ = try server.get("/runs", ["traceparent: \(secret)", "tracestate: a=\(secret)"])
            server.process.send(signal: SIGTERM)
            let output = try server.process.finish()
            #expect(output.end == .exited(0))
            #expect(output.diagnostics.contains("run ended") && output.diagnostics.contains("start_failed"))
            #expect(output.diagnostics.split(separator: "\n").count > 10)
            #expect(!output.diagnostics.contains(secret), "\(output.diagnostics)")
        }
    }

    @Test func `an unread log delays nothing, and a metric counts the dropped lines`() throws {
        let server = try ServerProcess(["--access-log"])
        let client = try server.client()
        // A pipe holds 64 KiB.
        for _ in 0..<2000 { try #expect(client.health() == 200) }
        let metrics = try server.get("/metrics").text
        let line = try #require(
            metrics.split(separator: "\n").first { $0.hasPrefix("sandglass_log_lines_dropped_total ") }
        )
        let dropped = try #require(Int(line.split(separator: " ")[1]))
        #expect(dropped > 0 && dropped < 2000)
        try #expect(server.shell("exit 3").end == .exited(3))
        server.process.send(signal: SIGTERM)
        let output = try server.process.finish()
        #expect(output.end == .exited(0))
        // The written lines are complete.
        let requests = output.diagnostics.split(separator: "\n").filter { $0.contains(" info: request request=") }
        #expect(requests.allSatisfy { $0.contains(" client=127.0.0.1") })
    }

    @Test func `--access-log logs requests at any level, and the level hides other lines`() throws {
        let environment = ["SANDGLASS_LOG_LEVEL": "error", "SANDGLASS_LOG_FORMAT": "json"]
        for (flags, hasRequests) in [([], false), (["--access-log"], true)] as [([String], Bool)] {
            let server = try ServerProcess(flags, environment: environment)
            _ = try server.shell("true")
            server.process.send(signal: SIGTERM)
            let lines = try server.process.finish().diagnostics.split(separator: "\n")
            #expect(lines.contains { $0.contains("\"message\":\"request\"") } == hasRequests)
            #expect(!lines.contains { $0.contains("started") || $0.contains("stopping") || $0.contains("run ended") })
        }
    }

    @Test(arguments: [["--log-level", "loud"], ["--log-format", "xml"]])
    func `an unknown log level or format is refused`(flags: [String]) throws {
        let command = [Host.program, "serve", "--listen", "127.0.0.1:0"]
        try #expect(ChildProcess(command + flags).finish().end == .exited(64))
        let variable = flags[0] == "--log-level" ? "SANDGLASS_LOG_LEVEL" : "SANDGLASS_LOG_FORMAT"
        try #expect(ChildProcess(command, environment: [variable: flags[1]]).finish().end == .exited(64))
    }

    @Test func `a response has a request id, which a stored document has only if the client sent one`() throws {
        try withServer { server in
            let run = try server.shell("true")
            for _ in 0..<3 {
                let named = try server.get("/runs/\(run.id)", ["X-Request-Id: a.b-c"])
                #expect(named.headers["x-request-id"] == "a.b-c")
                #expect(named.status == 200)
            }
            _ = try server.get("/runs/\(run.id)")
            // From here on the server sends the document that it keeps ready.
            let stored = try server.get("/runs/\(run.id)")
            #expect(stored.headers["x-request-id"] == nil)
            try #expect(stored.run().end == .exited(0))
            try #expect(server.get("/runs/\(run.id)", ["X-Request-Id: x"]).headers["x-request-id"] == "x")
            let names = try (0..<3).map { _ in
                try server.get("/nowhere", ["X-Request-Id: no good"]).headers["x-request-id"]
            }
            #expect(Set(names).count == 3)
            #expect(names.allSatisfy { $0?.utf8.count == 32 })
        }
    }
}

/// W3C Trace Context, from a request to its command.
struct TraceTests {
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    private static let other = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    private static let shown = ["/bin/sh", "-c", "echo $TRACEPARENT,$TRACESTATE"]

    private func shown(_ server: ServerProcess, _ headers: [String], _ members: [String: Any] = [:]) throws -> String {
        let response = try server.post(ServerProcess.body(Self.shown, members), query: "?wait=60", headers)
        try #require(response.status == 201, "\(response.text)")
        return try response.run().stdout.text
    }

    @Test func `a command gets no trace context by default`() throws {
        try withServer { server in
            try #expect(shown(server, ["traceparent: \(Self.parent)", "tracestate: a=b"]) == ",\n")
        }
    }

    @Test func `--pass-traceparent passes the trace context unless the run sets its own`() throws {
        try withServer("--pass-traceparent") { server in
            try #expect(
                shown(server, ["Traceparent: \(Self.parent)", "tracestate: a=b", "tracestate: c=d"])
                    == "\(Self.parent),a=b,c=d\n"
            )
            try #expect(shown(server, ["traceparent: \(Self.parent)"]) == "\(Self.parent),\n")
            try #expect(shown(server, []) == ",\n")
            let own = ["env": ["TRACEPARENT": "mine"]]
            try #expect(shown(server, ["traceparent: \(Self.parent)", "tracestate: a=b"], own) == "mine,\n")
        }
    }

    @Test func `a malformed trace context is ignored`() throws {
        let parent = Self.parent
        try withServer(environment: ["SANDGLASS_PASS_TRACEPARENT": "1"]) { server in
            for headers in [
                ["traceparent: 00-\(String(repeating: "0", count: 32))-b7ad6b7169203331-01"],
                ["traceparent: \(parent.uppercased())"], ["traceparent: ff\(parent.dropFirst(2))"],
                ["traceparent: \(parent)", "traceparent: \(parent)"], ["traceparent:"], ["tracestate: a=b"],
                ["traceparent: \(parent)-more"],
            ] {
                try #expect(shown(server, headers) == ",\n", "\(headers)")
            }
        }
    }

    @Test func `a queued run keeps its trace context over a kill of the server`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server("--concurrency", "1", "--pass-traceparent")
        let nap = Marker.nap()
        _ = try first.submit(["sleep", nap], ["timeoutSeconds": 600])
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        let queued = try first.post(ServerProcess.body(Self.shown), ["traceparent: \(Self.parent)"])
        #expect(queued.status == 202)
        try first.kill()
        // The server that accepted the run had --pass-traceparent.
        let second = try data.server("--concurrency", "1")
        try #expect(second.finished(queued.run()).stdout.text == "\(Self.parent),\n")
        try second.stop()
    }

    @Test func `the result cache and idempotency keys ignore the trace context`() throws {
        try withServer("--pass-traceparent") { server in
            let body = try ServerProcess.body(Self.shown, ["cache": true])
            let first = try server.post(body, query: "?wait=60", ["traceparent: \(Self.parent)"]).run()
            let same = try server.post(body, query: "?wait=60", ["traceparent: \(Self.other)"]).run()
            #expect(same.id == first.id && same.cached == true)
            let key = "Idempotency-Key: k"
            let keyed = try server.post(
                ServerProcess.body(["true"]),
                query: "?wait=60",
                [key, "traceparent: \(Self.parent)"]
            )
            let again = try server.post(
                ServerProcess.body(["true"]),
                query: "?wait=60",
                [key, "traceparent: \(Self.other)"]
            )
            try #expect(again.run().id == keyed.run().id)
            #expect(again.status == 201)
        }
    }
}
