import Foundation
import Glibc
import Locks
import Testing

/// `sandglass submit` over connections that break.
struct SubmitResumeTests {
    /// Writes 300 KB to one stream and some to the other, text and noise, each line with its number.
    private static let script = """
        $| = 1; for (1..3000) { print "$_ ", chr($_ % 256) x 80, "\\n"; print STDERR "e$_\\n" if $_ % 10 == 0; \
        select undef, undef, undef, 0.002 if $_ % 100 == 0 }
        """
    private static let output = (1...3000).flatMap { number in
        Array("\(number) ".utf8) + [UInt8](repeating: UInt8(number % 256), count: 80) + [UInt8(ascii: "\n")]
    }
    private static let error = (1...300).flatMap { Array("e\($0 * 10)\n".utf8) }

    @Test(arguments: [1, 2])
    func `connections that are cut off anywhere lose no byte and double none`(seed: UInt64) throws {
        try withServer { server in
            let proxy = try CuttingProxy(to: server.port) { number in
                var random = RandomBytes(seed: seed &* 1000 &+ UInt64(number))
                _ = random.next()
                let some = 2000 + Int(random.next() % 60_000)
                // One of them is cut off from its first connection on; with the others that is so late that the run is over, and
                // the answer that tells of it has all that was written.
                return seed == 1 ? some : [0: 0, 1: 700, 2: 400_000][number] ?? some
            }
            let finished = try ClientProgram.run("submit", at: proxy.url, ["--", "/usr/bin/perl", "-e", Self.script])
            #expect(finished.end == .exited(0), "\(finished.diagnostics.suffix(300))")
            #expect(finished.output == Self.output)
            // What is said about the connections is said in lines of its own.
            let said = finished.error.split(separator: UInt8(ascii: "\n")).filter {
                $0.starts(with: "sandglass: ".utf8)
            }
            let told = finished.error.split(separator: UInt8(ascii: "\n")).filter {
                !$0.starts(with: "sandglass: ".utf8)
            }
            #expect(told.flatMap { $0 + [UInt8(ascii: "\n")] } == Self.error)
            #expect((1...2).contains(said.count), "\(said.map { String(decoding: $0, as: UTF8.self) })")
            #expect(proxy.connections > 5)
            #expect(try server.runs().count == 1)
        }
    }

    @Test func `a run whose creation was not answered is not created twice`() throws {
        try withServer { server in
            // The answers to the first two requests are lost.
            let proxy = try CuttingProxy(to: server.port) { $0 < 2 ? 0 : nil }
            let finished = try ClientProgram.submit("echo once", to: proxy.url)
            #expect(finished.end == .exited(0))
            #expect(finished.text == "once\n")
            #expect(proxy.requests.filter { $0 == "POST /runs" }.count == 3)
            #expect(try server.runs().count == 1)
        }
    }

    @Test func `a server that is killed and comes back is followed on, and what it lost is said to be`() throws {
        let data = try DataFolder()
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
        #expect(try client.readErrorLine()?.hasSuffix("(trying again)") == true)

        let second = try data.server("--listen", "127.0.0.1:\(first.port)")
        let ended = try client.finish()
        #expect(ended.end == .exited(125))
        #expect(ended.output.isEmpty)
        #expect(ended.diagnostics == "sandglass: /bin/sh: it was lost: the server or its machine ended while it ran\n")
        let document = try finished.finish()
        #expect(document.end == .exited(125))
        #expect(try JSONDecoder().decode(RunReply.self, from: Data(document.output)).outcome == "lost")
        try second.stop()
    }

    @Test func `a run that waited over the restart runs, and is followed`() throws {
        let data = try DataFolder()
        let first = try data.server("--concurrency", "1")
        _ = try first.submit(["sleep", "600"], ["timeoutSeconds": 600])
        let client = try ClientProgram.start("submit", at: first.url, ["--", "echo", "after"])
        try #require(eventually { try first.runs("&state=queued").count == 1 })
        try first.kill()
        let second = try data.server("--listen", "127.0.0.1:\(first.port)")
        let finished = try client.finish()
        #expect(finished.end == .exited(0))
        #expect(finished.text == "after\n")
        try second.stop()
    }

    @Test func `bytes that are missing or there twice are not passed off as the output`() throws {
        for offset in [0, 7] {
            let server = try FakeServer { request in
                if request.line == "POST /runs" { return FakeServer.json("202 Accepted", [], FakeRun.running) }
                guard request.line.hasSuffix("/events") else { return FakeServer.answer("404 Not Found", [], []) }
                let events =
                    #"{"event":"stdout","id":"6-0","text":"hello\n","encoding":"utf-8","offset":0}"# + "\n"
                    + #"{"event":"stdout","id":"9-0","text":"bye\n","encoding":"utf-8","offset":\#(offset)}"# + "\n"
                return FakeServer.answer("200 OK", ["Content-Type: application/x-ndjson"], Array(events.utf8))
            }
            let finished = try ClientProgram.submit("true", to: server.url)
            #expect(finished.end == .exited(125))
            #expect(finished.text == "hello\n")
            #expect(finished.diagnostics.contains("goes on at byte \(offset) of stdout, of which 6 have come"))
            #expect(finished.diagnostics.contains("sandglass cancel \(FakeRun.id)"))
        }
    }

    @Test func `a server that is asked to wait for is come back to when it says`() throws {
        let count = Lock(0)
        let server = try FakeServer { request in
            if request.line == "POST /runs" {
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                guard number > 1 else {
                    return FakeServer.answer("503 Service Unavailable", ["Retry-After: 1"], [])
                }
                return FakeServer.json("201 Created", [], FakeRun.finished)
            }
            return FakeServer.answer("200 OK", [], FakeRun.endEvent(FakeRun.finished))
        }
        let begin = monotonicSeconds()
        let finished = try ClientProgram.submit("true", to: server.url)
        #expect(finished.end == .exited(0))
        #expect(monotonicSeconds() - begin >= 1)
        #expect(finished.diagnostics.contains("503"))
    }
}
