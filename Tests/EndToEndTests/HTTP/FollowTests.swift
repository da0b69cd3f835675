import Foundation
import Glibc
import TestSupport
import Testing

/// Output of running and finished runs: `follow`, disconnected clients and ranges.
struct FollowTests {
    private func script(_ script: String) -> [String] { ["/bin/sh", "-c", script] }

    // MARK: Following

    @Test func `a followed stream is sent while the command runs`() throws {
        try withServer { server in
            // Only the client ends the command.
            let run = try server.submit(script("echo first; echo other >&2; sleep 600"), ["timeoutSeconds": 600])
            let client = try server.client()
            try client.request("GET", "/runs/\(run.id)/stdout?follow=true")
            let head = try client.head()
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

    @Test func `a followed stream equals the stored one for queued, running and finished runs`() throws {
        try withServer("--concurrency", "1") { server in
            let first = try server.submit(script("seq 50000; sleep 0.3; seq 5"), ["limits": ["outputBytes": 288_904]])
            let second = try server.submit(script("echo second >&2"))
            let clients = try [first, second].map { run in
                let client = try server.client()
                let stream = run.id == first.id ? "stdout" : "stderr"
                try client.request("GET", "/runs/\(run.id)/\(stream)?follow=true")
                return client
            }
            let followed = try clients[0].response().body
            #expect(followed.count == 288_904)
            #expect(try clients[1].response().text == "second\n")
            _ = try server.finished(first)
            #expect(try server.get("/runs/\(first.id)/stdout").body == followed)
            #expect(try server.get("/runs/\(first.id)/stdout?follow=true").body == followed)
            #expect(try server.get("/runs/\(first.id)/stdout?follow=false").body == followed)
        }
    }

    @Test func `an HTTP/1.0 client reads to the end of the connection`() throws {
        try withServer { server in
            let run = try server.submit(script("seq 20000; sleep 0.2; echo end"))
            let client = try server.client()
            try client.send("GET /runs/\(run.id)/stdout?follow=true HTTP/1.0\r\n\r\n")
            let text = try client.textUntilClose()
            #expect(text.hasPrefix("HTTP/1.1 200") || text.hasPrefix("HTTP/1.0 200"))
            #expect(text.hasSuffix("\r\n\r\n" + (1...20000).map { "\($0)\n" }.joined() + "end\n"))
        }
    }

    @Test func `HEAD sends no stream, and an invalid follow is refused`() throws {
        try withServer { server in
            let run = try server.submit(script("echo a; sleep 600"), ["timeoutSeconds": 600])
            for path in ["stdout?follow=true", "events"] {
                let client = try server.client()
                try client.request("HEAD", "/runs/\(run.id)/\(path)")
                #expect(try client.head().status == 200)
                #expect(try client.isClosed())
            }
            for query in ["follow=1", "follow", "follow=", "follow=true&follow=true", "from=1"] {
                #expect(try server.get("/runs/\(run.id)/stdout?\(query)").status == 400, "\(query)")
            }
            #expect(try server.get("/runs/\(run.id)/stdout?follow=true", ["Range: bytes=0-1"]).status == 400)
            #expect(try server.get("/runs/\(run.id)/events?follow=true").status == 400)
            _ = try server.send("POST", "/runs/\(run.id)/cancel")
        }
    }

    // MARK: Many, slow and disconnected clients

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
            for client in clients { #expect(try client.response().body == whole) }
        }
    }

    @Test func `a thousand readers of a silent run get its end, and their connections are closed`() throws {
        try withServer { server in
            let run = try server.submit(script("sleep 600"), ["timeoutSeconds": 600])
            let before = try ProcessTable.sockets(of: server.pid)
            var clients = try (0..<1000).map { _ in try EventStream(server, run.id) }
            for client in clients { #expect(try client.next()?.name == "state") }
            // Half of the readers disconnect.
            clients.removeLast(500)
            #expect(eventually { (try? ProcessTable.sockets(of: server.pid)).map { $0 <= before + 500 } ?? false })
            #expect(try server.get("/healthz").status == 200)
            _ = try server.send("POST", "/runs/\(run.id)/cancel")
            for client in clients { #expect(try client.all().last?.name == "end") }
            clients = []
            #expect(eventually { (try? ProcessTable.sockets(of: server.pid)).map { $0 <= before } ?? false })
        }
    }

    @Test func `a slow reader delays neither others nor the run and takes no memory`() throws {
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
            // The slow readers have not read their 640 MiB.
            let grown = try #require(ProcessTable.memory("VmRSS", of: server.pid)) - memory
            #expect(grown < 32 << 20)
            #expect(try slow[0].response().body.count == size)
        }
    }

    @Test(arguments: [false, true])
    func `the server notices a disconnected reader of a silent run`(resets: Bool) throws {
        try withServer { server in
            let run = try server.submit(script("sleep 600"), ["timeoutSeconds": 600])
            for path in ["stdout?follow=true", "events"] {
                var clients = try (0..<20).map { _ in
                    let client = try server.client()
                    try client.request("GET", "/runs/\(run.id)/\(path)")
                    #expect(try client.head().status == 200)
                    if resets { client.resetOnClose() }
                    return client
                }
                // Each client has a connection. The server may not yet have closed those of the requests before.
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

    @Test func `a stopped server ends its streams`() throws {
        let server = try ServerProcess(["--concurrency", "1"])
        let run = try server.submit(script("echo a; sleep 600"), ["timeoutSeconds": 600])
        let queued = try server.submit(["true"])
        let stream = try EventStream(server, run.id)
        while try stream.next()?.name != "stdout" {}
        let waiting = try EventStream(server, queued.id)
        _ = try waiting.next()
        try server.stop()
        #expect(try stream.all().last?.member("outcome") as? String == "cancelled")
    }

    // MARK: Ranges

    @Test(arguments: [false, true])
    func `stored output supports ranges`(isLarge: Bool) throws {
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
                let response = try server.get(path, headers)
                #expect(response.status == 200 && response.body == whole.body, "\(headers)")
            }
            #expect(try server.get(path, ["If-None-Match: \(tag)", "Range: bytes=0-1"]).status == 304)
            let client = try server.client()
            try client.request("HEAD", path, ["Range: bytes=0-1"])
            let head = try client.head()
            #expect(head.status == 200 && head.headers["content-length"] == "\(count)")
        }
    }

    @Test func `a range of a running run's output has no total length`() throws {
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
