import Glibc
import HTTPServer
import Synchronization
import Testing

/// What a sink was told, for the test's thread.
private final class Received: Sendable {
    struct State {
        var bytes: [UInt8] = []
        var isFull = false
        var refusesAfter = Int.max
        var ends = 0
        var turnedAway = 0
    }

    let state = Mutex(State())
}

private final class TestSink: BodySink {
    let received: Received

    init(_ received: Received) { self.received = received }

    func receive(_ piece: UnsafeRawBufferPointer) -> BodySinkAnswer {
        received.state.withLock { state in
            if state.bytes.count + piece.count > state.refusesAfter { return .refused(status: 507, detail: "no room") }
            if state.isFull {
                state.turnedAway += 1
                return .later
            }
            state.bytes += Array(piece)
            return .taken
        }
    }

    func end() { received.state.withLock { $0.ends += 1 } }
}

extension ServerTests {
    @Suite struct BodySinkTests {
        private let received = Received()

        /// A server that streams what is put to it, unless the target is `/no`, and tells how many bytes came.
        private func server(
            _ configuration: HTTPServerConfiguration = HTTPServerConfiguration(),
            maximumBytes: Int = 1 << 30
        ) throws -> ServerThread {
            let received = received
            return try ServerThread(
                configuration,
                handler: { exchange, _ in
                    exchange.respond(.make("\(exchange.streamedBytes) \(exchange.request.body.count)"))
                },
                bodies: { exchange, desk in
                    guard exchange.request.method == "PUT" else { return .buffer }
                    guard exchange.request.path != "/no" else {
                        exchange.respond(.make("no", status: 403))
                        return .buffer
                    }
                    desk.waiting = [exchange]
                    return .stream(TestSink(received), maximumBytes: maximumBytes)
                }
            )
        }

        private let text = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 >> 3) }

        private func put(_ client: Client, _ target: String, _ headers: String) throws {
            try client.send("PUT \(target) HTTP/1.1\r\nHost: a\r\n\(headers)\r\n")
        }

        @Test func `a body goes to its sink, all of it and in order`() throws {
            let server = try server(.make(maximumBodyBytes: 1_000))
            let client = try Client(server)
            try put(client, "/", "Content-Length: \(text.count)\r\n")
            try client.send(text)
            #expect(try client.answer().body == "3000000 0")
            #expect(received.state.withLock { $0.bytes } == text)
            try put(client, "/", "Transfer-Encoding: chunked\r\n")
            for start in stride(from: 0, to: text.count, by: 100_000) {
                try client.send("186a0\r\n")
                try client.send(Array(text[start..<start + 100_000]) + Array("\r\n".utf8))
            }
            try client.send("0\r\n\r\n")
            #expect(try client.answer().body == "3000000 0")
            #expect(received.state.withLock { $0.bytes } == text + text)
            try server.stop()
            #expect(received.state.withLock { $0.ends } == 2)
        }

        @Test func `other bodies stay in memory, and have its limit`() throws {
            let server = try server(.make(maximumBodyBytes: 1_000))
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
            #expect(try client.answer().body == "0 5")
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
            #expect(try client.answer().status == 413)
            try server.stop()
            #expect(received.state.withLock { $0.ends } == 0)
        }

        @Test func `a body that is not wanted is refused before it is sent, without 100`() throws {
            let server = try server()
            let client = try Client(server)
            try put(client, "/no", "Expect: 100-continue\r\nContent-Length: 1000000\r\n")
            let answer = try client.answer()
            #expect(answer.status == 403)
            #expect(answer.headers["connection"] == "close")
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `one that is wanted gets 100`() throws {
            let server = try server()
            let client = try Client(server)
            try put(client, "/", "Expect: 100-continue\r\nContent-Length: 5\r\n")
            #expect(try client.answer().status == 100)
            try client.send("hello")
            #expect(try client.answer().body == "5 0")
            try server.stop()
        }

        @Test func `a client that sends all of a refused body still reads the answer`() throws {
            let server = try server()
            let client = try Client(server)
            try put(client, "/no", "Content-Length: \(text.count)\r\n")
            try client.send(text)
            #expect(try client.answer().status == 403)
            try server.stop()
        }

        @Test(arguments: [true, false]) func `a body over its limit gets 413`(isChunked: Bool) throws {
            let server = try server(maximumBytes: 10_000)
            let client = try Client(server)
            if isChunked {
                try put(client, "/", "Transfer-Encoding: chunked\r\n")
                try client.send("2711\r\n" + String(repeating: "x", count: 10_001) + "\r\n")
            } else {
                try put(client, "/", "Content-Length: 10001\r\n")
            }
            #expect(try client.answer().status == 413)
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
            #expect(received.state.withLock { $0.ends } == 1)
        }

        @Test func `what the sink refuses is told while the body is coming`() throws {
            received.state.withLock { $0.refusesAfter = 100_000 }
            let server = try server()
            let client = try Client(server)
            try put(client, "/", "Content-Length: \(text.count)\r\n")
            try client.send(Array(text.prefix(500_000)))
            let answer = try client.answer()
            #expect(answer.status == 507)
            #expect(received.state.withLock { $0.ends } == 1)
            try server.stop()
        }

        @Test func `a sink without room gets the same piece again when it has`() throws {
            received.state.withLock { $0.isFull = true }
            let server = try server()
            let client = try Client(server)
            try put(client, "/", "Content-Length: 5\r\n")
            try client.send("hello")
            let received = received
            try server.wait { _, _ in received.state.withLock { $0.turnedAway } == 1 }
            // Nothing is asked again by itself.
            let other = try Client(server)
            try other.get("/")
            _ = try other.answer()
            #expect(received.state.withLock { $0.turnedAway } == 1)
            try server.perform { _, desk in
                received.state.withLock { $0.isFull = false }
                desk.waiting[0].continueBody()
            }
            #expect(try client.answer().body == "5 0")
            #expect(received.state.withLock { $0.bytes } == Array("hello".utf8))
            try server.stop()
        }

        @Test func `the time without room does not count as the client's`() throws {
            received.state.withLock { $0.isFull = true }
            var configuration = HTTPServerConfiguration()
            configuration.bodyTimeout = .milliseconds(300)
            configuration.minimumBodyBytesPerSecond = 0
            let server = try server(configuration)
            let client = try Client(server)
            try put(client, "/", "Content-Length: 5\r\n")
            try client.send("hello")
            let received = received
            try server.wait { _, _ in received.state.withLock { $0.turnedAway } == 1 }
            // Longer than the body may take.
            #expect(!client.hasAnswer(withinMilliseconds: 500))
            try server.perform { _, desk in
                received.state.withLock { $0.isFull = false }
                desk.waiting[0].continueBody()
            }
            #expect(try client.answer().body == "5 0")
            try server.stop()
        }

        @Test func `a body that stalls gets 408, and its sink is told`() throws {
            var configuration = HTTPServerConfiguration()
            configuration.bodyTimeout = .milliseconds(200)
            configuration.minimumBodyBytesPerSecond = 0
            let server = try server(configuration)
            let client = try Client(server)
            try put(client, "/", "Content-Length: 6\r\n")
            try client.send("hello")
            #expect(try client.answer().status == 408)
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(received.state.withLock { $0.ends } == 1)
            try server.stop()
        }

        @Test(arguments: [true, false]) func `a client that hangs up within a body ends it`(resets: Bool) throws {
            let server = try server()
            do {
                let client = try Client(server)
                if resets { client.resetAtEnd() }
                try put(client, "/", "Content-Length: 6\r\n")
                try client.send("hello")
                let received = received
                try server.wait { _, _ in received.state.withLock { $0.bytes.count } == 5 }
            }
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(received.state.withLock { $0.ends } == 1)
            try server.stop()
        }

        @Test func `a server stops while a sink has no room`() throws {
            received.state.withLock { $0.isFull = true }
            let server = try server()
            let client = try Client(server)
            try put(client, "/", "Content-Length: 5\r\n")
            try client.send("hello")
            let received = received
            try server.wait { _, _ in received.state.withLock { $0.turnedAway } == 1 }
            try server.perform { server, desk in
                server.stop()
                // Too late, and of no effect.
                desk.waiting[0].continueBody()
            }
            try server.stop()
            #expect(received.state.withLock { $0.ends } == 1)
        }
    }
}
