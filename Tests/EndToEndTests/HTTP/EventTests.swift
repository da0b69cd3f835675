import Foundation
import Glibc
import TestSupport
import Testing

/// `GET /runs/{id}/events`.
struct EventTests {
    /// A script that writes to both streams in turn, so slowly that each write is a separate event.
    private static let turns =
        "for i in 1 2 3 4 5; do echo out$i; sleep 0.07; echo err$i >&2; sleep 0.07; done; printf 'a€\\377'"
    private static let interleaving = (1...5).flatMap { ["stdout: out\($0)\n", "stderr: err\($0)\n"] }

    private func script(_ script: String) -> [String] { ["/bin/sh", "-c", script] }

    @Test func `events report both streams in order and the states of the run`() throws {
        try withServer { server in
            let run = try server.submit(script(Self.turns))
            let stream = try EventStream(server, run.id)
            let events = try stream.all()
            #expect(events.interleaving.dropLast() == Self.interleaving[...])
            #expect(events.bytes(of: "stdout").suffix(5) == Array("a€".utf8) + [0xFF])
            #expect(events.first?.name == "state")
            let states = events.filter { $0.name == "state" }.compactMap { $0.member("state") as? String }
            #expect(states.last == "running" && !states.contains("finished"))
            let end = try #require(events.last)
            #expect(end.name == "end" && end.id.hasSuffix("-end"))
            #expect(end.member("outcome") as? String == "exited")
            #expect(end.member("stdout") == nil)
            #expect(events.filter { $0.name == "end" }.count == 1)
            // The order is the same after the end of the run.
            #expect(try EventStream(server, run.id).all().interleaving == events.interleaving)
        }
    }

    @Test func `Last-Event-ID resumes a stream after any event, during the run and after it`() throws {
        try withServer { server in
            let run = try server.submit(script(Self.turns))
            // Each event is read over a connection of its own.
            var resumed: [EventStream.Event] = []
            var last: String?
            while true {
                let stream = try EventStream(server, run.id, after: last)
                var event = try stream.next()
                if last != nil, event?.name == "state" { event = try stream.next() }
                guard let event else { break }
                resumed.append(event)
                last = event.id
                if event.name == "end" { break }
            }
            let whole = try EventStream(server, run.id).all()
            for stream in ["stdout", "stderr"] { #expect(resumed.bytes(of: stream) == whole.bytes(of: stream)) }
            #expect(resumed.interleaving == whole.interleaving)
            for (index, event) in whole.enumerated() where event.name != "end" {
                let rest = try EventStream(server, run.id, after: event.id).all().filter { $0.name != "state" }
                #expect(rest == whole[(index + 1)...].filter { $0.name != "state" }, "\(event.id)")
            }
            let end = try #require(whole.last?.id)
            #expect(try server.get("/runs/\(run.id)/events", ["Last-Event-ID: \(end)"]).status == 204)
        }
    }

    @Test func `Last-Event-ID resumes a stream after a kill of the server`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let finished = try first.finished(first.submit(script(Self.turns)))
        let lost = try first.submit(script("echo out; echo err >&2; sleep 600"), ["timeoutSeconds": 600])
        let before = try EventStream(first, finished.id).all()
        let live = try EventStream(first, lost.id)
        var seen: [EventStream.Event] = []
        while seen.bytes(of: "stdout").isEmpty || seen.bytes(of: "stderr").isEmpty {
            seen.append(try #require(try live.next()))
        }
        try #require(eventually { data.outputs.count == 4 })
        try first.kill()

        let second = try data.server()
        for event in before where event.name != "end" {
            let rest = try EventStream(second, finished.id, after: event.id).all()
            for stream in ["stdout", "stderr"] {
                let received = before[...before.lastIndex(of: event)!].map { $0 }.bytes(of: stream)
                #expect(received + rest.bytes(of: stream) == before.bytes(of: stream))
            }
        }
        #expect(try EventStream(second, finished.id).all().interleaving == before.interleaving)
        // No output is repeated, and the end follows.
        let rest = try EventStream(second, lost.id, after: seen.last?.id).all()
        #expect(rest.filter(\.isOutput).isEmpty)
        #expect(rest.last?.name == "end" && rest.last?.member("outcome") as? String == "lost")
        #expect(try EventStream(second, lost.id).all().interleaving == ["stdout: out\n", "stderr: err\n"])
        try second.stop()
    }

    @Test func `a malformed Last-Event-ID is refused`() throws {
        try withServer { server in
            let run = try server.run(["true"])
            for id in ["", "x", "1", "1-", "-1-2", "01-2", "1-2-3", "1-2-END", "99999999999999999999-1", "+1-2"] {
                let response = try server.get("/runs/\(run.id)/events", ["Last-Event-ID: \(id)"])
                #expect(response.status == 400, "\(id)")
            }
            #expect(try server.get("/runs/\(run.id)/events", ["Last-Event-ID: 0-0"]).status == 200)
        }
    }

    @Test func `events never split a character`() throws {
        try withServer { server in
            let slow =
                "$| = 1; for (split //, \"\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80z\") { print; select undef, undef, undef, 0.03; "
                + "print STDERR 'e' }"
            let run = try server.submit(["/usr/bin/perl", "-e", slow])
            let events = try EventStream(server, run.id).all()
            #expect(events.bytes(of: "stdout") == Array("€😀z".utf8))
            #expect(events.bytes(of: "stderr") == Array("eeeeeeee".utf8))
            let output = events.filter { $0.name == "stdout" }
            #expect(output.allSatisfy { $0.member("encoding") as? String == "utf-8" })
            // A large write is also split between characters.
            let large = try server.submit(["/usr/bin/perl", "-e", "print 'x', \"\\xe2\\x82\\xac\" x 100000"])
            let parts = try EventStream(server, large.id).all().filter { $0.name == "stdout" }
            #expect(parts.count > 10 && parts.allSatisfy { $0.member("encoding") as? String == "utf-8" })
            #expect(parts.flatMap(\.bytes) == Array(("x" + String(repeating: "€", count: 100_000)).utf8))
        }
    }

    @Test func `events carry bytes that are not text as base64`() throws {
        try withServer { server in
            let run = try server.submit(
                ["/usr/bin/perl", "-e", "print map { chr } 0..255; print 'x' x 44"]
            )
            let events = try EventStream(server, run.id).all()
            #expect(events.bytes(of: "stdout") == Array(0...255) + [UInt8](repeating: 0x78, count: 44))
            #expect(events.first { $0.isOutput }?.member("encoding") as? String == "base64")
        }
    }

    @Test func `application/x-ndjson has one JSON object per line`() throws {
        try withServer { server in
            let run = try server.shell("echo hi; echo oops >&2")
            let response = try server.get("/runs/\(run.id)/events", ["Accept: application/x-ndjson"])
            #expect(response.headers["content-type"] == "application/x-ndjson")
            let lines = try response.text.split(separator: "\n").map { line in
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

    /// The contract promises a comment every fifteen seconds.
    @Test func `a silent stream sends a comment every fifteen seconds`() throws {
        try withServer { server in
            let run = try server.submit(script("sleep 17; echo end"), ["timeoutSeconds": 60])
            let stream = try EventStream(server, run.id)
            let events = try stream.all()
            #expect(stream.comments == 1)
            #expect(events.bytes(of: "stdout") == Array("end\n".utf8))
        }
    }

    @Test func `a principal cannot follow another principal's run`() throws {
        let tokens = try TokenDirectory()
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
}
