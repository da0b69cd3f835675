import Foundation
import Glibc
import Locks
import Testing

/// `sandglass submit` that is asked to stop.
struct SubmitSignalTests {
    private func start(_ server: ServerProcess, _ script: String, _ options: [String] = []) throws -> ChildProcess {
        try ClientProgram.start(
            "submit",
            at: server.url,
            ["--timeout", "600"] + options + ["--", "/bin/sh", "-c", script]
        )
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func `the first signal cancels the run and waits for its end`(signal: Int32) throws {
        try withServer { server in
            let client = try start(
                server,
                "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done",
                ["--grace", "60"]
            )
            #expect(try client.readOutputLine() == "ready")
            client.send(signal: signal)
            let finished = try client.finish()
            #expect(finished.end == .exited(128 + signal))
            #expect(finished.text == "bye\n")
            #expect(!finished.diagnostics.contains("sandglass"))
            let run = try #require(server.runs().first)
            #expect(run.state == "finished" && run.outcome == "cancelled")
        }
    }

    @Test func `the second one leaves at once and says what goes on`() throws {
        let server = try ServerProcess()
        let script = "trap 'echo term' TERM; echo ready; while :; do sleep 0.01; done"
        let client = try start(server, script, ["--grace", "60"])
        #expect(try client.readOutputLine() == "ready")
        client.send(signal: SIGINT)
        #expect(try client.readOutputLine() == "term")
        client.send(signal: SIGINT)
        let finished = try client.finish()
        #expect(finished.end == .exited(130))
        let id = try #require(server.runs("&state=running").first?.id)
        #expect(finished.diagnostics.contains("sandglass cancel \(id)"))
        // A server that is stopped would wait for the grace.
        try server.kill()
    }

    @Test func `a signal is heard while nobody reads the output`() throws {
        try withServer { server in
            let client = try start(server, "yes", ["--output-bytes", "1000000"])
            // All that a pipe holds.
            try #require(eventually { client.unreadOutputBytes > 60_000 })
            client.send(signal: SIGINT)
            #expect(eventually { (try? server.runs("&state=finished").first?.outcome) == "cancelled" })
            #expect(try client.finish().end == .exited(130))
        }
    }

    @Test func `a signal before there is a run ends it`() throws {
        // Takes connections and says nothing.
        let hasHeard = Lock(false)
        let silent = try LoopbackListener { connection, _ in
            while !Connection.receive(connection).isEmpty { hasHeard.withLock { $0 = true } }
        }
        defer { silent.stop() }
        let folder = try TemporaryFolder()
        try folder.write("file", "x", mode: 0o644)
        let client = try ClientProgram.start(
            "submit",
            at: "http://127.0.0.1:\(silent.port)",
            ["--file", "x=\(folder.path)/file", "--", "true"]
        )
        try #require(eventually { hasHeard.withLock { $0 } })
        client.send(signal: SIGINT)
        let finished = try client.finish()
        #expect(finished.end == .exited(130))
        #expect(finished.error.isEmpty)
    }

    @Test func `a reader that goes away ends the run, as it ends a filter`() throws {
        try withServer { server in
            let client = try start(server, "yes", ["--output-bytes", "8388608"])
            #expect(try client.readOutputLine() == "y")
            client.closeOutput()
            #expect(try client.finish().end == .exited(128 + SIGPIPE))
            let run = try #require(server.runs().first)
            #expect(try server.finished(run.id).outcome == "cancelled")
        }
    }
}
