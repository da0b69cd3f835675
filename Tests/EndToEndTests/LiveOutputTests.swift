import Foundation
import Glibc
import Testing

/// What a run writes, while it writes it: `follow`, events, and ranges of what is kept.
struct LiveOutputTests {
    /// Writes to both streams in turn, so slowly that nobody could take it for at once.
    private static let turns =
        "for i in 1 2 3 4 5; do echo out$i; sleep 0.07; echo err$i >&2; sleep 0.07; done; printf 'a€\\377'"
    private static let told = (1...5).flatMap { ["stdout: out\($0)\n", "stderr: err\($0)\n"] }

    private func script(_ script: String) -> [String] { ["/bin/sh", "-c", script] }

    // MARK: follow

    @Test func `output is sent while the command goes on`() throws {
        try withServer { server in
            // Nothing but the client ends it.
            let run = try server.submit(script("echo first; echo other >&2; sleep 600"), ["timeoutSeconds": 600])
            let client = try server.client()
            try client.request("GET", "/runs/\(run.id)/stdout?follow=true")
            let head = try client.answer(toHead: true)
            #expect(head.headers["transfer-encoding"] == "chunked")
            #expect(head.headers["cache-control"] == "no-store")
            #expect(head.headers["x-accel-buffering"] == "no")
            #expect(head.headers["x-request-id"] != nil)
            #expect(try client.chunk() == Array("first\n".utf8))
            #expect(try server.send("POST", "/runs/\(run.id)/cancel").status == 202)
            #expect(try client.chunk() == nil)
            #expect(try client.health() == 200)
        }
    }

    @Test func `what is followed is what is kept, of a run that waits, goes on or is over`() throws {
        try withServer("--concurrency", "1") { server in
            let first = try server.submit(script("seq 100000; sleep 0.3; seq 5"), ["limits": ["outputBytes": 300_000]])
            let second = try server.submit(script("echo second >&2"))
            let clients = try [first, second].map { run in
                let client = try server.client()
                let stream = run.id == first.id ? "stdout" : "stderr"
                try client.request("GET", "/runs/\(run.id)/\(stream)?follow=true")
                return client
            }
            let followed = try clients[0].answer().body
            #expect(followed.count == 300_000)
            #expect(try clients[1].answer().text == "second\n")
            _ = try server.finished(first)
            #expect(try server.get("/runs/\(first.id)/stdout").body == followed)
            #expect(try server.get("/runs/\(first.id)/stdout?follow=true").body == followed)
            #expect(try server.get("/runs/\(first.id)/stdout?follow=false").body == followed)
        }
    }

    @Test func `a client of HTTP 1 point 0 reads to the end of the connection`() throws {
        try withServer { server in
            let run = try server.submit(script("seq 20000; sleep 0.2; echo end"))
            let client = try server.client()
            try client.send("GET /runs/\(run.id)/stdout?follow=true HTTP/1.0\r\n\r\n")
            let text = String(decoding: client.rest(), as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 200") || text.hasPrefix("HTTP/1.0 200"))
            #expect(text.hasSuffix("\r\n\r\n" + (1...20000).map { "\($0)\n" }.joined() + "end\n"))
        }
    }

    @Test func `HEAD has the head alone, and follow is a boolean without a range`() throws {
        try withServer { server in
            let run = try server.submit(script("echo a; sleep 600"), ["timeoutSeconds": 600])
            for path in ["stdout?follow=true", "events"] {
                let client = try server.client()
                try client.request("HEAD", "/runs/\(run.id)/\(path)")
                #expect(try client.answer(toHead: true).status == 200)
                #expect(client.rest().isEmpty)
            }
            for query in ["follow=1", "follow", "follow=", "follow=true&follow=true", "from=1"] {
                #expect(try server.get("/runs/\(run.id)/stdout?\(query)").status == 400, "\(query)")
            }
            #expect(try server.get("/runs/\(run.id)/stdout?follow=true", ["Range: bytes=0-1"]).status == 400)
            #expect(try server.get("/runs/\(run.id)/events?follow=true").status == 400)
            _ = try server.send("POST", "/runs/\(run.id)/cancel")
        }
    }

    // MARK: Events

    @Test func `events tell both streams in their order, and how the run goes on`() throws {
        try withServer { server in
            let run = try server.submit(script(Self.turns))
            let stream = try EventClient(server, run.id)
            let events = try stream.all()
            #expect(events.order.dropLast() == Self.told[...])
            #expect(events.bytes(of: "stdout").suffix(5) == Array("a€".utf8) + [0xFF])
            #expect(events.first?.name == "state")
            let states = events.filter { $0.name == "state" }.compactMap { $0.member("state") as? String }
            #expect(states.last == "running" && !states.contains("finished"))
            let end = try #require(events.last)
            #expect(end.name == "end" && end.id.hasSuffix("-end"))
            #expect(end.member("outcome") as? String == "exited")
            #expect(end.member("stdout") == nil)
            #expect(events.filter { $0.name == "end" }.count == 1)
            // Told again when it is over: the same order.
            #expect(try EventClient(server, run.id).all().order == events.order)
        }
    }

    @Test func `a stream that is broken off after any event goes on exactly there, during the run and after it`() throws
    {
        try withServer { server in
            let run = try server.submit(script(Self.turns))
            // Each event over a connection of its own.
            var told: [EventClient.Event] = []
            var last: String?
            while true {
                let stream = try EventClient(server, run.id, after: last)
                var event = try stream.next()
                if last != nil, event?.name == "state" { event = try stream.next() }
                guard let event else { break }
                told.append(event)
                last = event.id
                if event.name == "end" { break }
            }
            let whole = try EventClient(server, run.id).all()
            for stream in ["stdout", "stderr"] { #expect(told.bytes(of: stream) == whole.bytes(of: stream)) }
            #expect(told.order == whole.order)
            for (index, event) in whole.enumerated() where event.name != "end" {
                let rest = try EventClient(server, run.id, after: event.id).all().filter { $0.name != "state" }
                #expect(rest == whole[(index + 1)...].filter { $0.name != "state" }, "\(event.id)")
            }
            let end = try #require(whole.last?.id)
            #expect(try server.get("/runs/\(run.id)/events", ["Last-Event-ID: \(end)"]).status == 204)
        }
    }

    @Test func `events go on after a kill and a restart, of runs that ended before it and by it`() throws {
        let data = try DataFolder()
        let first = try data.server()
        let finished = try first.finished(first.submit(script(Self.turns)))
        let lost = try first.submit(script("echo out; echo err >&2; sleep 600"), ["timeoutSeconds": 600])
        let before = try EventClient(first, finished.id).all()
        let live = try EventClient(first, lost.id)
        var seen: [EventClient.Event] = []
        while seen.bytes(of: "stdout").isEmpty || seen.bytes(of: "stderr").isEmpty {
            seen.append(try #require(try live.next()))
        }
        try #require(eventually { data.outputs.count == 4 })
        try first.kill()

        let second = try data.server()
        for event in before where event.name != "end" {
            let rest = try EventClient(second, finished.id, after: event.id).all()
            for stream in ["stdout", "stderr"] {
                let had = before[...before.lastIndex(of: event)!].map { $0 }.bytes(of: stream)
                #expect(had + rest.bytes(of: stream) == before.bytes(of: stream))
            }
        }
        #expect(try EventClient(second, finished.id).all().order == before.order)
        // What has been told is not told again, and the end comes.
        let rest = try EventClient(second, lost.id, after: seen.last?.id).all()
        #expect(rest.filter(\.isOutput).isEmpty)
        #expect(rest.last?.name == "end" && rest.last?.member("outcome") as? String == "lost")
        #expect(try EventClient(second, lost.id).all().order == ["stdout: out\n", "stderr: err\n"])
        try second.stop()
    }

    @Test func `an id that no event had is refused`() throws {
        try withServer { server in
            let run = try server.run(["true"])
            for id in ["", "x", "1", "1-", "-1-2", "01-2", "1-2-3", "1-2-END", "99999999999999999999-1", "+1-2"] {
                let answer = try server.get("/runs/\(run.id)/events", ["Last-Event-ID: \(id)"])
                #expect(answer.status == 400, "\(id)")
            }
            #expect(try server.get("/runs/\(run.id)/events", ["Last-Event-ID: 0-0"]).status == 200)
        }
    }

    @Test func `a character is never split, however it is written`() throws {
        try withServer { server in
            let slow =
                "$| = 1; for (split //, \"\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80z\") { print; select undef, undef, undef, 0.03; "
                + "print STDERR 'e' }"
            let run = try server.submit(["/usr/bin/perl", "-e", slow])
            let events = try EventClient(server, run.id).all()
            #expect(events.bytes(of: "stdout") == Array("€😀z".utf8))
            #expect(events.bytes(of: "stderr") == Array("eeeeeeee".utf8))
            let output = events.filter { $0.name == "stdout" }
            #expect(output.allSatisfy { $0.member("encoding") as? String == "utf-8" })
            // A large piece is cut between characters, too.
            let large = try server.submit(["/usr/bin/perl", "-e", "print 'x', \"\\xe2\\x82\\xac\" x 100000"])
            let parts = try EventClient(server, large.id).all().filter { $0.name == "stdout" }
            #expect(parts.count > 10 && parts.allSatisfy { $0.member("encoding") as? String == "utf-8" })
            #expect(parts.flatMap(\.bytes) == Array(("x" + String(repeating: "€", count: 100_000)).utf8))
        }
    }

    @Test func `bytes that are no text come in base64, and no more than is kept`() throws {
        try withServer { server in
            let run = try server.submit(
                ["/usr/bin/perl", "-e", "print map { chr } 0..255; print 'x' x 5000"],
                ["limits": ["outputBytes": 300]]
            )
            let events = try EventClient(server, run.id).all()
            #expect(events.bytes(of: "stdout") == Array(0...255) + [UInt8](repeating: 0x78, count: 44))
            #expect(events.first { $0.isOutput }?.member("encoding") as? String == "base64")
        }
    }

    @Test func `who asks for lines gets an object a line`() throws {
        try withServer { server in
            let run = try server.shell("echo hi; echo oops >&2")
            let answer = try server.get("/runs/\(run.id)/events", ["Accept: application/x-ndjson"])
            #expect(answer.headers["content-type"] == "application/x-ndjson")
            let lines = try answer.text.split(separator: "\n").map { line in
                try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            }
            #expect(
                lines.map { $0["event"] as? String } == ["state", "stdout", "stderr", "end"]
                    || lines.map { $0["event"] as? String } == ["state", "stderr", "stdout", "end"]
            )
            #expect(lines.first { $0["event"] as? String == "stdout" }?["text"] as? String == "hi\n")
            #expect((lines.last?["run"] as? [String: Any])?["id"] as? String == run.id)
            #expect(lines.last?["id"] as? String == "3-5-end")
        }
    }

    /// Fifteen seconds are what the contract says.
    @Test func `a silent stream says something every fifteen seconds`() throws {
        try withServer { server in
            let run = try server.submit(script("sleep 17; echo end"), ["timeoutSeconds": 60])
            let stream = try EventClient(server, run.id)
            let events = try stream.all()
            #expect(stream.comments == 1)
            #expect(events.bytes(of: "stdout") == Array("end\n".utf8))
        }
    }

    @Test func `nobody follows somebody else's run`() throws {
        let tokens = try TokenFolder()
        let (mine, other, admin) = (try tokens.add("a"), try tokens.add("b"), try tokens.add("c", "--role", "admin"))
        let server = try ServerProcess(["--tokens", tokens.path])
        let body = try ServerProcess.body(script("echo secret; sleep 0.3"))
        let id = try server.post(body, ["Authorization: Bearer \(mine)"]).run().id
        for state in ["running", "finished"] {
            for path in ["stdout?follow=true", "stderr?follow=true", "events", "stdout"] {
                let target = "/runs/\(id)/\(path)"
                #expect(try server.get(target, ["Authorization: Bearer \(other)"]).status == 404, "\(state) \(path)")
                #expect(try server.get(target).status == 401)
            }
            let followed = try server.get("/runs/\(id)/stdout?follow=true", ["Authorization: Bearer \(mine)"])
            #expect(followed.text == "secret\n")
            #expect(try server.get("/runs/\(id)/events", ["Authorization: Bearer \(admin)"]).text.contains("secret"))
        }
        try server.stop()
    }

    // MARK: Many, slow and gone

    @Test func `five hundred followers of one run lose no byte`() throws {
        try withServer { server in
            let size = 1 << 20
            let perl = "$| = 1; for (1..16) { print pack('N', $_) x \(size / 64); select undef, undef, undef, 0.02 }"
            let run = try server.submit(
                ["/usr/bin/perl", "-e", "select undef, undef, undef, 0.5; " + perl],
                ["timeoutSeconds": 300]
            )
            let clients = try (0..<500).map { index in
                let client = try server.client()
                try client.request("GET", "/runs/\(run.id)/stdout?follow=true")
                return client
            }
            let whole = (1...16).flatMap { (part: Int) -> [UInt8] in
                (0..<size / 64).flatMap { _ -> [UInt8] in [0, 0, 0, UInt8(part)] }
            }
            for client in clients { #expect(try client.answer().body == whole) }
        }
    }

    @Test func `a thousand readers of a silent run are told of its end, and all are let go`() throws {
        try withServer { server in
            let run = try server.submit(script("sleep 600"), ["timeoutSeconds": 600])
            let before = try ProcessTable.sockets(of: server.pid)
            var clients = try (0..<1000).map { _ in try EventClient(server, run.id) }
            for client in clients { #expect(try client.next()?.name == "state") }
            // Half of them go away.
            clients.removeLast(500)
            #expect(eventually { (try? ProcessTable.sockets(of: server.pid)).map { $0 <= before + 500 } ?? false })
            #expect(try server.get("/healthz").status == 200)
            _ = try server.send("POST", "/runs/\(run.id)/cancel")
            for client in clients { #expect(try client.all().last?.name == "end") }
            clients = []
            #expect(eventually { (try? ProcessTable.sockets(of: server.pid)).map { $0 <= before } ?? false })
        }
    }

    @Test func `a reader that does not read holds up neither the others nor the run, and costs no memory`() throws {
        try withServer { server in
            let size = 32 << 20
            let run = try server.submit(
                ["/usr/bin/head", "-c", "\(size)", "/dev/zero"],
                ["limits": ["outputBytes": size], "timeoutSeconds": 60]
            )
            let slow = try (0..<20).map { _ in
                let client = try server.client()
                try client.request("GET", "/runs/\(run.id)/stdout?follow=true")
                return client
            }
            let memory = try #require(ProcessTable.memory("VmRSS", of: server.pid))
            let fast = try server.get("/runs/\(run.id)/stdout?follow=true")
            #expect(fast.body.count == size)
            #expect(try server.finished(run).end == .exited(0))
            // The slow ones have all of it to come: 640 MiB.
            let grown = try #require(ProcessTable.memory("VmRSS", of: server.pid)) - memory
            #expect(grown < 32 << 20)
            #expect(try slow[0].answer().body.count == size)
        }
    }

    @Test(arguments: [false, true])
    func `a reader that goes away is noticed although nothing is written`(resets: Bool) throws {
        try withServer { server in
            let run = try server.submit(script("sleep 600"), ["timeoutSeconds": 600])
            for path in ["stdout?follow=true", "events"] {
                var clients = try (0..<20).map { _ in
                    let client = try server.client()
                    try client.request("GET", "/runs/\(run.id)/\(path)")
                    #expect(try client.answer(toHead: true).status == 200)
                    if resets { client.resetAtEnd() }
                    return client
                }
                // Each has a connection; those of the requests before may still be about to be closed.
                let open = try ProcessTable.descriptors(of: server.pid).count
                clients = []
                #expect(
                    eventually {
                        (try? ProcessTable.descriptors(of: server.pid).count).map { $0 <= open - 20 } ?? false
                    }
                )
                withExtendedLifetime(clients) {}
            }
            _ = try server.send("POST", "/runs/\(run.id)/cancel")
        }
    }

    @Test func `a server that is stopped ends its streams`() throws {
        let server = try ServerProcess(["--concurrency", "1"])
        let run = try server.submit(script("echo a; sleep 600"), ["timeoutSeconds": 600])
        let queued = try server.submit(["true"])
        let stream = try EventClient(server, run.id)
        while try stream.next()?.name != "stdout" {}
        let waiting = try EventClient(server, queued.id)
        _ = try waiting.next()
        try server.stop()
        #expect(try stream.all().last?.member("outcome") as? String == "cancelled")
    }

    // MARK: Ranges

    @Test(arguments: [false, true])
    func `a part of what is kept can be had`(isLarge: Bool) throws {
        try withServer { server in
            let run = try server.shell(isLarge ? "seq 10000" : "seq 100")
            let path = "/runs/\(run.id)/stdout"
            let whole = try server.get(path)
            #expect(whole.headers["accept-ranges"] == "bytes")
            let tag = try #require(whole.headers["etag"])
            let count = whole.body.count
            for (range, bytes) in [
                ("0-0", 0..<1), ("5-9", 5..<10), ("5-", 5..<count), ("-7", count - 7..<count), ("0-999999", 0..<count),
            ] {
                let part = try server.get(path, ["Range: bytes=\(range)", "If-Range: \(tag)"])
                #expect(part.status == 206)
                #expect(part.body == Array(whole.body[bytes]))
                #expect(part.headers["content-range"] == "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(count)")
                #expect(part.headers["etag"] == tag)
            }
            let none = try server.get(path, ["Range: bytes=\(count)-"])
            #expect(none.status == 416 && none.headers["content-range"] == "bytes */\(count)")
            for headers in [
                ["Range: bytes=0-1", "If-Range: \"other\""], ["Range: bytes=0-1", "If-Range: W/\(tag)"],
                ["Range: bytes=0-1,5-6"], ["Range: lines=1-2"], ["Range: bytes=2-1"],
            ] {
                let answer = try server.get(path, headers)
                #expect(answer.status == 200 && answer.body == whole.body, "\(headers)")
            }
            #expect(try server.get(path, ["If-None-Match: \(tag)", "Range: bytes=0-1"]).status == 304)
            let client = try server.client()
            try client.request("HEAD", path, ["Range: bytes=0-1"])
            let head = try client.answer(toHead: true)
            #expect(head.status == 200 && head.headers["content-length"] == "\(count)")
        }
    }

    @Test func `a part of what a run has written so far says that the whole is not known`() throws {
        try withServer { server in
            let run = try server.submit(script("echo hello; sleep 600"), ["timeoutSeconds": 600])
            let path = "/runs/\(run.id)/stdout"
            try #require(eventually { (try? server.get(path).body.count) == 6 })
            let part = try server.get(path, ["Range: bytes=1-3"])
            #expect(part.status == 206 && part.text == "ell" && part.headers["content-range"] == "bytes 1-3/*")
            #expect(part.headers["etag"] == nil)
            #expect(try server.get(path, ["Range: bytes=1-3", "If-Range: \"x\""]).status == 200)
            _ = try server.send("POST", "/runs/\(run.id)/cancel")
        }
    }
}
