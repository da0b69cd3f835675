import Foundation
import Glibc
import Testing

/// What the server says on standard error.
struct LogTests {
    /// The lines that come until one has this member.
    private func line(_ server: ServerProcess, where name: String, is value: String) throws -> [String: Any] {
        while let line = try server.process.readErrorLine() {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
            if object[name] as? String == value { return object }
        }
        throw CancellationError()
    }

    @Test func `a server says how it started, and each request that it answered`() throws {
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
        try #expect(client.answer().status == 400)
        // It never came to where requests are named; its line has a name all the same.
        let refused = try line(server, where: "path", is: "/a%0Ab")
        #expect(refused["status"] as? Int == 400)
        #expect((refused["request"] as? String)?.utf8.count == 32)
        try server.stop()
    }

    @Test func `the log has nothing of what is a client's own`() throws {
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

    @Test func `who does not read the log holds nobody up, and finds out how much was lost`() throws {
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
        // Those that came out are whole.
        let requests = output.diagnostics.split(separator: "\n").filter { $0.contains(" info: request request=") }
        #expect(requests.allSatisfy { $0.contains(" client=127.0.0.1") })
    }

    @Test func `requests are logged only where that was asked for, and less than the level is not`() throws {
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
    func `a level or a format that there is not is refused`(flags: [String]) throws {
        let command = [Host.program, "serve", "--listen", "127.0.0.1:0"]
        try #expect(ChildProcess(command + flags).finish().end == .exited(64))
        let variable = flags[0] == "--log-level" ? "SANDGLASS_LOG_LEVEL" : "SANDGLASS_LOG_FORMAT"
        try #expect(ChildProcess(command, environment: [variable: flags[1]]).finish().end == .exited(64))
    }

    @Test func `an answer carries its request's name, one that was made before only where it has one`() throws {
        try withServer { server in
            let run = try server.shell("true")
            for _ in 0..<3 {
                let named = try server.get("/runs/\(run.id)", ["X-Request-Id: a.b-c"])
                #expect(named.headers["x-request-id"] == "a.b-c")
                #expect(named.status == 200)
            }
            _ = try server.get("/runs/\(run.id)")
            // From here on it is kept, and sent as it is.
            let kept = try server.get("/runs/\(run.id)")
            #expect(kept.headers["x-request-id"] == nil)
            try #expect(kept.run().end == .exited(0))
            try #expect(server.get("/runs/\(run.id)", ["X-Request-Id: x"]).headers["x-request-id"] == "x")
            let names = try (0..<3).map { _ in
                try server.get("/nowhere", ["X-Request-Id: no good"]).headers["x-request-id"]
            }
            #expect(Set(names).count == 3)
            #expect(names.allSatisfy { $0?.utf8.count == 32 })
        }
    }
}
