import Glibc
import HTTPServer
import Synchronization
import TestSupport
import Testing

/// The calls that a sink has received, for the test's thread.
private final class Received: Sendable {
    struct State {
        var bytes: [UInt8] = []
        var isFull = false
        var refusesAfter = Int.max
        var ends = 0
        var blockedCount = 0
    }

    let state = Mutex(State())
}

private final class TestSink: BodySink {
    let received: Received

    init(_ received: Received) { self.received = received }

    func receive(_ piece: UnsafeRawBufferPointer) -> BodyBackpressure {
        received.state.withLock { state in
            if state.bytes.count + piece.count > state.refusesAfter { return .refused(status: 507, detail: "no space") }
            if state.isFull {
                state.blockedCount += 1
                return .blocked
            }
            state.bytes += Array(piece)
            return .accepted
        }
    }

    func end() { received.state.withLock { $0.ends += 1 } }
}

extension ServerTests {
    @Suite struct BodySinkTests {
        private let received = Received()

        /// Starts a server that streams the bodies of PUT requests and responds with the number of bytes.
        ///
        /// It refuses `/no`.
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
                bodies: { exchange, fixture in
                    guard exchange.request.method == "PUT" else { return .buffer }
                    guard exchange.request.path != "/no" else {
                        exchange.respond(.make("no", status: 403))
                        return .buffer
                    }
                    fixture.waiting = [exchange]
                    return .stream(TestSink(received), maximumBytes: maximumBytes)
                }
            )
        }

        private let text = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 >> 3) }

        private func put(_ client: HTTPClient, _ target: String, _ headers: String) throws {
            try client.send("PUT \(target) HTTP/1.1\r\nHost: a\r\n\(headers)\r\n")
        }

        @Test func `the whole body goes to its sink, in order`() throws {
            let server = try server(.make(maximumBodyBytes: 1_000))
            let client = try HTTPClient(server)
            try put(client, "/", "Content-Length: \(text.count)\r\n")
            try client.send(text)
            #expect(try client.response().text == "3000000 0")
            #expect(received.state.withLock { $0.bytes } == text)
            try put(client, "/", "Transfer-Encoding: chunked\r\n")
            for start in stride(from: 0, to: text.count, by: 100_000) {
                try client.send("186a0\r\n")
                try client.send(Array(text[start..<start + 100_000]) + Array("\r\n".utf8))
            }
            try client.send("0\r\n\r\n")
            #expect(try client.response().text == "3000000 0")
            #expect(received.state.withLock { $0.bytes } == text + text)
            try server.stop()
            #expect(received.state.withLock { $0.ends } == 2)
        }

        @Test func `other bodies stay in memory and have the limit of memory`() throws {
            let server = try server(.make(maximumBodyBytes: 1_000))
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
            #expect(try client.response().text == "0 5")
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
            #expect(try client.response().status == 413)
            try server.stop()
            #expect(received.state.withLock { $0.ends } == 0)
        }

        @Test func `an unwanted body is refused before it is sent, without 100`() throws {
            let server = try server()
            let client = try HTTPClient(server)
            try put(client, "/no", "Expect: 100-continue\r\nContent-Length: 1000000\r\n")
            let response = try client.response()
            #expect(response.status == 403)
            #expect(response.headers["connection"] == "close")
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a wanted body gets 100`() throws {
            let server = try server()
            let client = try HTTPClient(server)
            try put(client, "/", "Expect: 100-continue\r\nContent-Length: 5\r\n")
            #expect(try client.response().status == 100)
            try client.send("hello")
            #expect(try client.response().text == "5 0")
            try server.stop()
        }

        @Test func `a client that sends a whole refused body still reads the response`() throws {
            let server = try server()
            let client = try HTTPClient(server)
            try put(client, "/no", "Content-Length: \(text.count)\r\n")
            try client.send(text)
            #expect(try client.response().status == 403)
            try server.stop()
        }

        @Test(arguments: [true, false]) func `a body over its limit gets 413`(isChunked: Bool) throws {
            let server = try server(maximumBytes: 10_000)
            let client = try HTTPClient(server)
            if isChunked {
                try put(client, "/", "Transfer-Encoding: chunked\r\n")
                try client.send("2711\r\n" + String(repeating: "x", count: 10_001) + "\r\n")
            } else {
                try put(client, "/", "Content-Length: 10001\r\n")
            }
            #expect(try client.response().status == 413)
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
            #expect(received.state.withLock { $0.ends } == 1)
        }

        @Test func `the client learns that the sink refuses the body while it sends it`() throws {
            received.state.withLock { $0.refusesAfter = 100_000 }
            let server = try server()
            let client = try HTTPClient(server)
            try put(client, "/", "Content-Length: \(text.count)\r\n")
            try client.send(Array(text.prefix(500_000)))
            let response = try client.response()
            #expect(response.status == 507)
            #expect(received.state.withLock { $0.ends } == 1)
            try server.stop()
        }

        @Test func `a blocked sink gets the same piece again when it is ready`() throws {
            received.state.withLock { $0.isFull = true }
            let server = try server()
            let client = try HTTPClient(server)
            try put(client, "/", "Content-Length: 5\r\n")
            try client.send("hello")
            let received = received
            try server.wait { _, _ in received.state.withLock { $0.blockedCount } == 1 }
            // The server does not retry by itself.
            let other = try HTTPClient(server)
            try other.get("/")
            _ = try other.response()
            #expect(received.state.withLock { $0.blockedCount } == 1)
            try server.perform { _, fixture in
                received.state.withLock { $0.isFull = false }
                fixture.waiting[0].resumeBody()
            }
            #expect(try client.response().text == "5 0")
            #expect(received.state.withLock { $0.bytes } == Array("hello".utf8))
            try server.stop()
        }

        @Test func `the time in which the sink is blocked does not count as the client's`() throws {
            received.state.withLock { $0.isFull = true }
            var configuration = HTTPServerConfiguration()
            configuration.bodyTimeout = .milliseconds(300)
            configuration.minimumBodyBytesPerSecond = 0
            let server = try server(configuration)
            let client = try HTTPClient(server)
            try put(client, "/", "Content-Length: 5\r\n")
            try client.send("hello")
            let received = received
            try server.wait { _, _ in received.state.withLock { $0.blockedCount } == 1 }
            // Longer than the body timeout.
            #expect(!client.hasResponse(withinMilliseconds: 500))
            try server.perform { _, fixture in
                received.state.withLock { $0.isFull = false }
                fixture.waiting[0].resumeBody()
            }
            #expect(try client.response().text == "5 0")
            try server.stop()
        }

        @Test func `a body that stalls gets 408, and its sink ends`() throws {
            var configuration = HTTPServerConfiguration()
            configuration.bodyTimeout = .milliseconds(200)
            configuration.minimumBodyBytesPerSecond = 0
            let server = try server(configuration)
            let client = try HTTPClient(server)
            try put(client, "/", "Content-Length: 6\r\n")
            try client.send("hello")
            #expect(try client.response().status == 408)
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(received.state.withLock { $0.ends } == 1)
            try server.stop()
        }

        @Test(arguments: [true, false]) func `a client that hangs up within a body ends its sink`(resets: Bool) throws {
            let server = try server()
            do {
                let client = try HTTPClient(server)
                if resets { client.resetOnClose() }
                try put(client, "/", "Content-Length: 6\r\n")
                try client.send("hello")
                let received = received
                try server.wait { _, _ in received.state.withLock { $0.bytes.count } == 5 }
            }
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(received.state.withLock { $0.ends } == 1)
            try server.stop()
        }

        @Test func `a server stops while a sink is blocked`() throws {
            received.state.withLock { $0.isFull = true }
            let server = try server()
            let client = try HTTPClient(server)
            try put(client, "/", "Content-Length: 5\r\n")
            try client.send("hello")
            let received = received
            try server.wait { _, _ in received.state.withLock { $0.blockedCount } == 1 }
            try server.perform { server, fixture in
                server.stop()
                // The call is too late and has no effect.
                fixture.waiting[0].resumeBody()
            }
            try server.stop()
            #expect(received.state.withLock { $0.ends } == 1)
        }
    }
}
