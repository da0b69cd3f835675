import Foundation
import Glibc
import TestSupport
import Testing

/// A thousand slow clients, and one normal client beside them.
@Suite(.serialized)
struct SlowClientTests {
    /// The number of clients that send a head slowly, and of those that send a body slowly.
    private static let senders = 450
    /// The number of clients that do not read.
    ///
    /// The kernel buffers much for each of them.
    private static let readers = 100

    /// The longest time for a normal request, in seconds: far less than any of the server's timeouts.
    private static let timeout = 5.0

    @Test func `a normal request gets its response beside a thousand slow ones`() throws {
        try withServer { server in
            // The output of this run exceeds the kernel's buffer of a socket.
            let large = try server.shell("head -c 20000000 /dev/zero", ["limits": ["outputBytes": 20_000_000]])
            let heads = try (0..<Self.senders).map { _ in try server.client() }
            let bodies = try (0..<Self.senders).map { _ in try server.client() }
            let readers = try (0..<Self.readers).map { _ in try server.client() }
            for (index, client) in heads.enumerated() {
                try client.send(String("POST /runs HTTP/1.1\r\nHost: localhost\r\nX-A: b".prefix(index % 45)))
            }
            for client in bodies {
                let type = "Content-Type: application/json"
                try client.request("POST", "/runs", [type, "Content-Length: 100000"])
                try client.send("{\"comm")
            }
            for client in readers { try client.request("GET", "/runs/\(large.id)/stdout") }
            // The server has accepted all slow clients once it responds to a later one.
            for round in 0..<20 {
                for client in heads where round % 5 == 4 { try? client.send("a") }
                let begin = monotonicSeconds()
                #expect(try server.get("/healthz").status == 200)
                #expect(try server.run(["true"]).end == .exited(0))
                #expect(monotonicSeconds() - begin < Self.timeout)
            }
            #expect(try ProcessTable.sockets(of: server.pid) > 2 * Self.senders + Self.readers)
            // A slow head gets 408 after ten seconds. One such response shows that the time is over for all of them.
            let response = try heads[0].response()
            #expect(response.status == 408)
            #expect(response.headers["content-type"] == "application/problem+json")
            #expect(try response.problem().status == 408)
            withExtendedLifetime((heads, bodies, readers)) {}
        }
    }

    @Test func `connections over the limit get a problem, and existing connections keep working`()
        throws
    {
        // With so few descriptors the server accepts only a few connections.
        let server = try ServerProcess(["--concurrency", "1"], prefix: ["prlimit", "--nofile=192:192"])
        let accepted = try server.client()
        try accepted.request("GET", "/healthz")
        #expect(try accepted.response().status == 200)
        var clients: [HTTPClient] = []
        var refused = 0
        for _ in 0..<200 {
            let client = try server.client()
            // An accepted client gets no response before its request.
            if client.hasResponse(withinMilliseconds: 1) {
                let response = try client.response()
                #expect(response.status == 503)
                #expect(response.headers["retry-after"] == "1")
                #expect(response.headers["content-type"] == "application/problem+json")
                refused += 1
            }
            clients.append(client)
        }
        #expect(refused > 50)
        try accepted.request("GET", "/healthz")
        #expect(try accepted.response().status == 200)
        clients = []
        #expect(eventually { (try? server.client().health()) == 200 })
    }
}

/// Thousands of almost valid requests over real sockets.
@Suite(.serialized)
struct FuzzTests {
    private static let requests = 5_000

    /// Returns the fault of a response, or `nil` if it has none.
    private func fault(_ response: HTTPResponse, isToHead: Bool) -> String? {
        guard (100...599).contains(response.status) else { return "no status" }
        if response.status == 100 { return nil }
        guard response.headers["date"] != nil else { return "no Date" }
        guard response.status >= 400 else { return nil }
        guard response.headers["content-type"] == "application/problem+json" else { return "not a problem" }
        if isToHead { return nil }
        guard let problem = try? response.problem() else { return "a malformed problem" }
        return problem.status == response.status ? nil : "another status in the problem"
    }

    @Test func `thousands of mutated requests get well-formed responses and leave no socket and no memory`() throws {
        try withServer { server in
            func send(_ count: Int, _ mutator: inout RequestMutator) throws {
                for _ in 0..<count {
                    let bytes = mutator.next()
                    let text = String(decoding: bytes, as: UTF8.self)
                    let client = try server.client()
                    // The server may refuse the request before its end.
                    try? client.send(bytes)
                    client.finishSending()
                    for response in try client.responsesToTheEnd(mayHaveHeads: text.contains("HEAD")) {
                        let fault = fault(response, isToHead: text.contains("HEAD") && response.body.isEmpty)
                        #expect(
                            fault == nil,
                            "\(fault ?? "") in the response \(response.status) \(response.text) to \(text.debugDescription)"
                        )
                    }
                }
            }
            var mutator = RequestMutator(seed: 20_260_101)
            // Some things grow once, such as the number of ready slots and the allocator's tables.
            try send(500, &mutator)
            try #require(eventually { server.isIdle })
            // Each slot has one socket.
            func sockets() throws -> Int { try ProcessTable.sockets(of: server.pid) - server.slots.count }
            let before = try sockets()
            let memory = try #require(ProcessTable.memory("VmRSS", of: server.pid))
            try send(Self.requests, &mutator)
            #expect(try server.get("/healthz").status == 200)
            #expect(try server.run(["true"]).end == .exited(0))
            #expect(eventually { server.isIdle })
            #expect(try eventually { try sockets() <= before })
            // Some requests created runs, which take some kilobytes each.
            #expect(try #require(ProcessTable.memory("VmRSS", of: server.pid)) - memory < 48 << 20)
        }
    }
}

/// A generator of almost valid requests.
private struct RequestMutator {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// Valid requests.
    ///
    /// None of them starts a long run.
    private static let seeds: [String] = [
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /runs?limit=5&state=queued HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nPrefer: wait=0\r\n\r\n",
        "HEAD /capabilities HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n"
            + "{\"command\": [\"/none\"]}",
        "POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "a\r\n{\"command\"\r\nc;x=y\r\n: [\"/none\"]}\r\n0\r\nX-Trailer: z\r\n\r\n",
        "GET http://localhost/runs/01JDA6Z8Q4X1S9V7T2M3N5P6R8/stdout HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-9\r\n\r\n",
        "DELETE /runs/01JDA6Z8Q4X1S9V7T2M3N5P6R8 HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n",
    ]

    /// Pieces to insert, on which parsers of HTTP may disagree.
    private static let pieces: [String] = [
        "\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", ";", "%", "%00", "%2e%2e/", "/../", "?", "&", "=", "#", "\u{7F}",
        "\u{B}",
        "Content-Length: 3\r\n", "Content-Length: -1\r\n", "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n", "Host: a\r\n", "Connection: close\r\n",
        "Expect: x\r\n", "X: y\r\n z\r\n", "0\r\n\r\n", "ffffffffffffffff\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "HTTP/1.1", "HTTP/2.0", "\u{16}\u{3}\u{1}", String(repeating: "a", count: 9_000),
        String(repeating: "a:\r\n", count: 200),
    ]

    /// Returns the next request.
    mutating func next() -> [UInt8] {
        var bytes = Array(Self.seeds[Int.random(in: 0..<Self.seeds.count, using: &random)].utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let index = Int.random(in: 0..<bytes.count, using: &random)
        let length = min(Int.random(in: 1...12, using: &random), bytes.count - index)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.removeSubrange(index..<(index + length))
        case 2: bytes.insert(contentsOf: bytes[index..<(index + length)], at: index)
        case 3: bytes.removeSubrange(index...)
        case 4: bytes[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
        default:
            bytes.insert(
                contentsOf: Array(Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &random)].utf8),
                at: index
            )
        }
    }
}
