import Glibc
import Testing

/// W3C Trace Context, from a request to its command.
struct TraceTests {
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    private static let other = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    private static let shown = ["/bin/sh", "-c", "echo $TRACEPARENT,$TRACESTATE"]

    private func shown(_ server: ServerProcess, _ headers: [String], _ members: [String: Any] = [:]) throws -> String {
        let answer = try server.post(ServerProcess.body(Self.shown, members), query: "?wait=60", headers)
        try #require(answer.status == 201, "\(answer.text)")
        return try answer.run().stdout.text
    }

    @Test func `a command is told of no trace unless the server was told to`() throws {
        try withServer { server in
            try #expect(shown(server, ["traceparent: \(Self.parent)", "tracestate: a=b"]) == ",\n")
        }
    }

    @Test func `a command is told the trace of its request, and its own variables stand over that`() throws {
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

    @Test(arguments: [
        ["traceparent: 00-\(String(repeating: "0", count: 32))-b7ad6b7169203331-01"],
        ["traceparent: \(parent.uppercased())"],
        ["traceparent: ff\(parent.dropFirst(2))"], ["traceparent: \(parent)", "traceparent: \(parent)"],
        ["traceparent:"],
        ["tracestate: a=b"], ["traceparent: \(parent)-more"],
    ])
    func `what is not well-formed is no error and no trace`(headers: [String]) throws {
        try withServer(environment: ["SANDGLASS_PASS_TRACEPARENT": "1"]) { server in
            try #expect(shown(server, headers) == ",\n")
        }
    }

    @Test func `a trace outlives the queue and the server`() throws {
        let data = try DataFolder()
        let first = try data.server("--concurrency", "1", "--pass-traceparent")
        let nap = Marker.nap()
        _ = try first.submit(["sleep", nap], ["timeoutSeconds": 600])
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        let queued = try first.post(ServerProcess.body(Self.shown), ["traceparent: \(Self.parent)"])
        #expect(queued.status == 202)
        try first.kill()
        // It was asked for when the run was accepted.
        let second = try data.server("--concurrency", "1")
        try #expect(second.finished(queued.run()).stdout.text == "\(Self.parent),\n")
        try second.stop()
    }

    @Test func `another trace makes no other run`() throws {
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
