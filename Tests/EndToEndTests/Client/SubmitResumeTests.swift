import Foundation
import Glibc
import System
import TestSupport
import Testing

/// `sandglass submit` over broken connections and restarts of the server.
struct SubmitResumeTests {
    /// A script that writes numbered lines: 300 KB to one stream and some to the other.
    private static let script = """
        $| = 1; for (1..3000) { print "$_ ", chr($_ % 256) x 80, "\\n"; print STDERR "e$_\\n" if $_ % 10 == 0; \
        select undef, undef, undef, 0.002 if $_ % 100 == 0 }
        """
    private static let output = (1...3000).flatMap { number in
        Array("\(number) ".utf8) + [UInt8](repeating: UInt8(number % 256), count: 80) + [UInt8(ascii: "\n")]
    }
    private static let error = (1...300).flatMap { Array("e\($0 * 10)\n".utf8) }

    /// The numbers of response bytes after which consecutive connections break; the last twelve repeat.
    private static let limits: [[Int]] = [
        [47692, 27593, 40390, 20291, 23061, 53592, 15759, 54674, 15255, 29338, 51805, 5888],
        // The early breaks come so late that the run has ended, and the response has all output.
        [0, 700, 400_000, 41954, 10716, 3033, 30518, 14451, 22839, 32890, 40669, 42336, 20485, 30536, 31903],
    ]

    @Test(arguments: limits)
    func `broken connections neither lose nor repeat a byte`(limits: [Int]) throws {
        try withServer { server in
            let proxy = try FaultyProxy(to: server.port) { number in
                number < limits.count ? limits[number] : limits.suffix(12)[limits.count - 12 + number % 12]
            }
            let finished = try ClientProgram.run("submit", at: proxy.url, ["--", "/usr/bin/perl", "-e", Self.script])
            #expect(finished.end == .exited(0), "\(finished.diagnostics.suffix(300))")
            #expect(finished.output == Self.output)
            // Messages about the connections are on lines of their own.
            let messages = finished.error.split(separator: UInt8(ascii: "\n")).filter {
                $0.starts(with: "sandglass: ".utf8)
            }
            let errorLines = finished.error.split(separator: UInt8(ascii: "\n")).filter {
                !$0.starts(with: "sandglass: ".utf8)
            }
            #expect(errorLines.flatMap { $0 + [UInt8(ascii: "\n")] } == Self.error)
            #expect((1...2).contains(messages.count), "\(messages.map { String(decoding: $0, as: UTF8.self) })")
            #expect(proxy.connections > 5)
            #expect(try server.runs().count == 1)
        }
    }

    @Test func `a run whose response was lost is not created twice`() throws {
        try withServer { server in
            // The responses to the first two requests are lost.
            let proxy = try FaultyProxy(to: server.port) { $0 < 2 ? 0 : nil }
            let finished = try ClientProgram.submit("echo once", to: proxy.url)
            #expect(finished.end == .exited(0))
            #expect(finished.text == "once\n")
            #expect(proxy.requests.filter { $0 == "POST /runs" }.count == 3)
            #expect(try server.runs().count == 1)
        }
    }

    @Test func `a client survives a restart of the server and reports the lost run`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let client = try ClientProgram.start(
            "submit",
            at: first.url,
            ["--timeout", "600", "--", "/bin/sh", "-c", "seq 3; echo err >&2; sleep 600"]
        )
        for number in 1...3 { #expect(try client.readOutputLine() == "\(number)") }
        #expect(try client.readErrorLine() == "err")
        let finished = try ClientProgram.start(
            "submit",
            at: first.url,
            ["--timeout", "600", "--json", "--", "/bin/sh", "-c", "sleep 600"]
        )
        try #require(eventually { try first.runs("&state=running").count == 2 })
        try #require(eventually { data.outputs.count == 2 })
        try first.kill()
        #expect(try client.readErrorLine()?.hasSuffix("(retrying)") == true)

        let second = try data.server("--listen", "127.0.0.1:\(first.port)")
        let ended = try client.finish()
        #expect(ended.end == .exited(125))
        #expect(ended.output.isEmpty)
        #expect(ended.diagnostics == "sandglass: /bin/sh: lost: the server or its host stopped during the run\n")
        let document = try finished.finish()
        #expect(document.end == .exited(125))
        #expect(try JSONDecoder().decode(RunDocument.self, from: Data(document.output)).outcome == "lost")
        try second.stop()
    }

    @Test func `a client follows a run that was queued during a restart`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server("--concurrency", "1")
        _ = try first.submit(["sleep", "600"], ["timeoutSeconds": 600])
        // A run is queued until its command has started.
        try #require(eventually { try first.runs("&state=running").count == 1 })
        let client = try ClientProgram.start("submit", at: first.url, ["--", "echo", "after"])
        try #require(eventually { try first.runs("&state=queued").count == 1 })
        try first.kill()
        let second = try data.server("--listen", "127.0.0.1:\(first.port)")
        let finished = try client.finish()
        #expect(finished.end == .exited(0))
        #expect(finished.text == "after\n")
        try second.stop()
    }

    @Test func `repeated bytes in events are an error, and missing ones are named`() throws {
        for offset in [0, 5, 7] {
            let server = try FakeServer { request in
                if request.line == "POST /runs" { return FakeServer.json("202 Accepted", [], FakeRun.running) }
                guard request.line.hasSuffix("/events") else { return FakeServer.response("404 Not Found", [], []) }
                let events =
                    #"{"event":"stdout","id":"6-0","text":"hello\n","encoding":"utf-8","offset":0}"# + "\n"
                    + #"{"event":"stdout","id":"9-0","text":"bye\n","encoding":"utf-8","offset":\#(offset)}"# + "\n"
                return FakeServer.response("200 OK", ["Content-Type: application/x-ndjson"], Array(events.utf8))
            }
            let finished = try ClientProgram.submit("true", to: server.url)
            #expect(finished.end == .exited(125))
            #expect(finished.text == (offset > 6 ? "hello\nbye\n" : "hello\n"))
            let text =
                offset > 6
                ? "sandglass: the server did not store bytes 6 to 6 of stdout; raise --output-bytes"
                : "continued at byte \(offset) of stdout, but the next one is byte 6"
            #expect(finished.diagnostics.contains(text))
            #expect(finished.diagnostics.contains("sandglass cancel \(FakeRun.id)"))
        }
    }

    @Test func `submit names only the rest of a cut of which it has named a part`() throws {
        for (cut, rest) in [(2..<20, [9..<20]), (2..<9, []), (2..<8, [])] {
            let server = try FakeServer { request in
                let run = FakeRun.finished.merging(["limits": ["outputBytes": 4]]) { _, own in own }
                if request.line == "POST /runs" { return FakeServer.json("202 Accepted", [], FakeRun.running) }
                guard request.line.hasSuffix("/events") else {
                    let member: [String: Any] = ["offset": cut.lowerBound, "bytes": cut.count]
                    let stream: [String: Any] = ["bytes": max(cut.upperBound, 9), "truncated": true, "cut": member]
                    return FakeServer.json("200 OK", [], run.merging(["stdout": stream]) { _, own in own })
                }
                let events =
                    #"{"event":"stdout","id":"5-0","text":"01234","encoding":"utf-8","offset":0}"# + "\n"
                    + #"{"event":"stdout","id":"9-0","text":"8","encoding":"utf-8","offset":8}"# + "\n"
                let body = Array(events.utf8) + FakeRun.endEvent(run)
                return FakeServer.response("200 OK", ["Content-Type: application/x-ndjson"], body)
            }
            let finished = try ClientProgram.submit("true", to: server.url)
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            #expect(finished.text == "012348")
            let lines = ([5..<8] + rest).map {
                "sandglass: the server did not store bytes \($0.lowerBound) to \($0.upperBound - 1) of stdout; "
                    + "raise --output-bytes\n"
            }
            #expect(finished.diagnostics == lines.joined())
        }
    }

    @Test func `Retry-After delays the next attempt`() throws {
        let count = Lock(0)
        let server = try FakeServer { request in
            if request.line == "POST /runs" {
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                guard number > 1 else {
                    return FakeServer.response("503 Service Unavailable", ["Retry-After: 1"], [])
                }
                return FakeServer.json("201 Created", [], FakeRun.finished)
            }
            return FakeServer.response("200 OK", [], FakeRun.endEvent(FakeRun.finished))
        }
        let begin = monotonicSeconds()
        let finished = try ClientProgram.submit("true", to: server.url)
        #expect(finished.end == .exited(0))
        #expect(monotonicSeconds() - begin >= 1)
        #expect(finished.diagnostics.contains("503"))
    }
}

/// Signals to `sandglass submit`.
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

    @Test func `the second signal exits at once and names the running run`() throws {
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
        // A stopped server would wait for the grace period.
        try server.kill()
    }

    @Test func `a signal works while the output is not read`() throws {
        try withServer { server in
            let client = try start(server, "yes", ["--output-bytes", "1000000"])
            // The pipe is full.
            try #require(eventually { client.unreadOutputBytes > 60_000 })
            client.send(signal: SIGINT)
            #expect(eventually { (try? server.runs("&state=finished").first?.outcome) == "cancelled" })
            #expect(try client.finish().end == .exited(130))
        }
    }

    @Test func `a signal before the run exists exits silently`() throws {
        // This server accepts connections and never responds.
        let hasReceived = Lock(false)
        let silent = try LoopbackListener { connection, _ in
            while !LoopbackSocket.receive(connection).isEmpty { hasReceived.withLock { $0 = true } }
        }
        defer { silent.stop() }
        let directory = try TemporaryDirectory()
        try directory.write("file", "x", mode: 0o644)
        let client = try ClientProgram.start(
            "submit",
            at: "http://127.0.0.1:\(silent.port)",
            ["--file", "x=\(directory.path)/file", "--", "true"]
        )
        try #require(eventually { hasReceived.withLock { $0 } })
        client.send(signal: SIGINT)
        let finished = try client.finish()
        #expect(finished.end == .exited(130))
        #expect(finished.error.isEmpty)
    }

    @Test func `closing the reader of the output cancels the run`() throws {
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
