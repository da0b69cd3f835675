import Glibc
import HTTPServer
import System
import TestSupport
import Testing

extension ServerTests {
    /// Tests of timeouts.
    ///
    /// All timeouts are short. A client that stays within one sends far more often than necessary.
    @Suite struct TimeoutTests {
        private static let timeout = Duration.milliseconds(300)

        private func configuration(_ change: (inout HTTPServerConfiguration) -> Void) -> HTTPServerConfiguration {
            var configuration = HTTPServerConfiguration()
            configuration.problem = { status, detail in .make("\(status): \(detail)", status: status) }
            change(&configuration)
            return configuration
        }

        /// Sends a byte every ten milliseconds until the server responds, and returns the elapsed time.
        private func trickle(_ client: HTTPClient, _ text: String) -> Duration {
            let begin = ContinuousClock.now
            for byte in Array(text.utf8) {
                guard (try? client.send([byte])) != nil, !client.hasResponse(withinMilliseconds: 10) else { break }
            }
            return ContinuousClock.now - begin
        }

        @Test(arguments: ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\nX-A"])
        func `an incomplete head gets 408, and the connection is closed`(part: String) throws {
            let server = try ServerThread(configuration { $0.headTimeout = Self.timeout })
            let begin = ContinuousClock.now
            let client = try HTTPClient(server)
            try client.send(part)
            let response = try client.response()
            #expect(ContinuousClock.now - begin >= Self.timeout)
            #expect(response.status == 408)
            #expect(response.headers["connection"] == "close")
            let advice = "Retry on a new connection, and send it within 0.3 seconds."
            #expect(response.text == "408: The request head did not arrive in time. \(advice)")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `bytes that trickle do not extend the time of a head`() throws {
            let server = try ServerThread(configuration { $0.headTimeout = Self.timeout })
            // The time runs from the start of the connection, before the first byte.
            let start = ContinuousClock.now
            let client = try HTTPClient(server)
            let time = trickle(client, "GET / HTTP/1.1\r\nX-A: " + String(repeating: "a", count: 1_000))
            #expect(start.duration(to: .now) >= Self.timeout)
            // The server did not wait for all bytes, which take ten seconds.
            #expect(time < .seconds(8))
            #expect(try client.response().status == 408)
            try server.stop()
        }

        @Test func `a second head that trickles gets no more time`() throws {
            let server = try ServerThread(configuration { $0.headTimeout = Self.timeout })
            let client = try HTTPClient(server)
            try client.get("/")
            _ = try client.response()
            // Longer than the resolution of the kernel's clock, so that the next bytes cannot count for the last
            // request.
            usleep(30_000)
            let time = trickle(client, "GET /" + String(repeating: "a", count: 1_000))
            #expect(time < .seconds(8))
            #expect(try client.response().status == 408)
            try server.stop()
        }

        @Test(arguments: [
            (Duration.milliseconds(300), 0, "0.3 seconds."),
            (.milliseconds(300), 1000, "0.3 seconds, or at 1000 bytes per second."),
            (.seconds(1), 4096, "1 second, or at 4096 bytes per second."),
        ])
        func `a body that stalls gets 408, and the connection is closed`(
            limit: Duration,
            rate: Int,
            advice: String
        ) throws {
            let server = try ServerThread(
                configuration { ($0.bodyTimeout, $0.minimumBodyBytesPerSecond) = (limit, rate) }
            )
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            let response = try client.response()
            #expect(response.status == 408)
            let next = "Retry on a new connection, and send it within \(advice)"
            #expect(response.text == "408: The request body did not arrive in time. \(next)")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a body that trickles gets 408`() throws {
            let server = try ServerThread(configuration { $0.bodyTimeout = Self.timeout })
            let start = ContinuousClock.now
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            let time = trickle(client, String(repeating: "a", count: 900))
            #expect(start.duration(to: .now) >= Self.timeout)
            #expect(time < .seconds(8))
            #expect(try client.response().status == 408)
            try server.stop()
        }

        @Test func `a slow body that keeps the minimum rate is accepted`() throws {
            let server = try ServerThread(
                configuration {
                    $0.bodyTimeout = Self.timeout
                    $0.minimumBodyBytesPerSecond = 1_000
                }
            ) { exchange, _ in exchange.respond(.make("\(exchange.request.body.count)")) }
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n")
            // Ten times the minimum rate, for longer than the timeout.
            let begin = ContinuousClock.now
            for _ in 0..<50 {
                try client.send([UInt8](repeating: 65, count: 1_000))
                _ = client.hasResponse(withinMilliseconds: 20)
            }
            #expect(ContinuousClock.now - begin > Self.timeout)
            #expect(try client.response().text == "50000")
            try server.stop()
        }

        @Test(arguments: [true, false])
        func `a fast beginning of a body does not pay for a later stall`(isStreamed: Bool) throws {
            let server = try ServerThread(
                configuration { ($0.bodyTimeout, $0.minimumBodyBytesPerSecond) = (Self.timeout, 1_000) },
                bodies: { _, _ in isStreamed ? .stream(DiscardingSink(), maximumBytes: 1 << 20) : .buffer }
            )
            let client = try HTTPClient(server)
            // At the minimum rate, these bytes take longer than this client waits.
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500001\r\n\r\n")
            try client.send([UInt8](repeating: 65, count: 500_000))
            #expect(try client.response().status == 408)
            try server.stop()
        }

        @Test func `an idle kept connection is closed without a response`() throws {
            let server = try ServerThread(configuration { $0.idleTimeout = Self.timeout })
            let client = try HTTPClient(server)
            try client.get("/")
            _ = try client.response()
            let begin = ContinuousClock.now
            #expect(try client.isClosed())
            #expect(ContinuousClock.now - begin > Self.timeout / 2)
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a client that does not read its response is reset`() throws {
            let server = try ServerThread(configuration { $0.sendTimeout = Self.timeout }) { exchange, _ in
                exchange.respond(Response(status: 200, body: .bytes([UInt8](repeating: 65, count: 32 << 20))))
            }
            let client = try HTTPClient(server)
            try client.get("/")
            try server.wait { server, _ in server.openConnections == 1 }
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(throws: SystemError("recv", number: ECONNRESET)) { try client.drainUntilClose() }
            try server.stop()
        }

        @Test func `a client that reads slowly gets its whole response`() throws {
            let server = try ServerThread(configuration { $0.sendTimeout = Self.timeout }) { exchange, _ in
                exchange.respond(Response(status: 200, body: .bytes([UInt8](repeating: 65, count: 16 << 20))))
            }
            let client = try HTTPClient(server)
            try client.get("/")
            let begin = ContinuousClock.now
            // A megabyte at a time, with pauses, for longer than the timeout.
            let response = try client.response(pausingMilliseconds: 60)
            #expect(response.text.utf8.count == 16 << 20)
            #expect(ContinuousClock.now - begin > Self.timeout)
            try server.stop()
        }

        @Test func `a request that waits for its response has no time limit`() throws {
            let server = try ServerThread(
                configuration {
                    ($0.headTimeout, $0.bodyTimeout) = (Self.timeout, Self.timeout)
                    ($0.idleTimeout, $0.sendTimeout) = (Self.timeout, Self.timeout)
                }
            ) { exchange, fixture in fixture.waiting.append(exchange) }
            let client = try HTTPClient(server)
            try client.get("/")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            // Other connections show that three times the timeout has passed.
            for _ in 0..<3 {
                let other = try HTTPClient(server)
                #expect(try other.response().status == 408)
            }
            try server.perform { _, fixture in fixture.waiting[0].respond(.make("late")) }
            #expect(try client.response().text == "late")
            try server.stop()
        }

        @Test func `zero is no limit`() throws {
            let server = try ServerThread(
                configuration {
                    ($0.headTimeout, $0.bodyTimeout, $0.idleTimeout, $0.sendTimeout) = (.zero, .zero, .zero, .zero)
                }
            )
            let client = try HTTPClient(server)
            try client.get("/")
            _ = try client.response()
            #expect(try server.perform { server, _ in server.timeout } == nil)
            try server.stop()
        }
    }
}
