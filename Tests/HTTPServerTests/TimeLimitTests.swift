import Glibc
import HTTPServer
import Testing

extension ServerTests {
    /// Each limit is short here, and whoever keeps within it sends far more often than it needs to.
    @Suite struct TimeLimitTests {
        private static let limit = Duration.milliseconds(300)

        private func configuration(_ change: (inout HTTPServerConfiguration) -> Void) -> HTTPServerConfiguration {
            var configuration = HTTPServerConfiguration()
            configuration.problem = { status, detail in .make("\(status): \(detail)", status: status) }
            change(&configuration)
            return configuration
        }

        /// Sends a byte every ten milliseconds until it is refused, and gives how long that took.
        private func trickle(_ client: Client, _ text: String) -> Duration {
            let begin = ContinuousClock.now
            for byte in Array(text.utf8) {
                guard (try? client.send([byte])) != nil, !client.hasAnswer(withinMilliseconds: 10) else { break }
            }
            return ContinuousClock.now - begin
        }

        @Test(arguments: ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\nX-A"])
        func `a head that does not come gets 408 and is closed`(part: String) throws {
            let server = try ServerThread(configuration { $0.headTimeout = Self.limit })
            let begin = ContinuousClock.now
            let client = try Client(server)
            try client.send(part)
            let answer = try client.answer()
            #expect(ContinuousClock.now - begin >= Self.limit)
            #expect(answer.status == 408)
            #expect(answer.headers["connection"] == "close")
            #expect(answer.body == "408: The request's head took too long.")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `bytes that trickle do not lengthen the time of a head`() throws {
            let server = try ServerThread(configuration { $0.headTimeout = Self.limit })
            // The connection's time begins with it, before the first byte.
            let start = ContinuousClock.now
            let client = try Client(server)
            let time = trickle(client, "GET / HTTP/1.1\r\nX-A: " + String(repeating: "a", count: 1_000))
            #expect(start.duration(to: .now) >= Self.limit)
            // Ten seconds' worth of bytes was not taken.
            #expect(time < .seconds(8))
            #expect(try client.answer().status == 408)
            try server.stop()
        }

        @Test func `a second head that trickles has no more time`() throws {
            let server = try ServerThread(configuration { $0.headTimeout = Self.limit })
            let client = try Client(server)
            try client.get("/")
            _ = try client.answer()
            // Longer ago than the kernel's clock is coarse, so that the next bytes cannot be the last request's.
            usleep(30_000)
            let time = trickle(client, "GET /" + String(repeating: "a", count: 1_000))
            #expect(time < .seconds(8))
            #expect(try client.answer().status == 408)
            try server.stop()
        }

        @Test func `a body that stalls gets 408 and is closed`() throws {
            let server = try ServerThread(configuration { $0.bodyTimeout = Self.limit })
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            let answer = try client.answer()
            #expect(answer.status == 408)
            #expect(answer.body == "408: The request's body took too long.")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a body that trickles gets 408`() throws {
            let server = try ServerThread(configuration { $0.bodyTimeout = Self.limit })
            let start = ContinuousClock.now
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            let time = trickle(client, String(repeating: "a", count: 900))
            #expect(start.duration(to: .now) >= Self.limit)
            #expect(time < .seconds(8))
            #expect(try client.answer().status == 408)
            try server.stop()
        }

        @Test func `a slow body that keeps the minimum rate is taken`() throws {
            let server = try ServerThread(
                configuration {
                    $0.bodyTimeout = Self.limit
                    $0.minimumBodyBytesPerSecond = 1_000
                }
            ) { exchange, _ in exchange.respond(.make("\(exchange.request.body.count)")) }
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n")
            // Ten times the rate, for more than the limit.
            let begin = ContinuousClock.now
            for _ in 0..<50 {
                try client.send([UInt8](repeating: 65, count: 1_000))
                _ = client.hasAnswer(withinMilliseconds: 20)
            }
            #expect(ContinuousClock.now - begin > Self.limit)
            #expect(try client.answer().body == "50000")
            try server.stop()
        }

        @Test func `a kept connection is closed without a word`() throws {
            let server = try ServerThread(configuration { $0.idleTimeout = Self.limit })
            let client = try Client(server)
            try client.get("/")
            _ = try client.answer()
            let begin = ContinuousClock.now
            #expect(try client.isClosed())
            #expect(ContinuousClock.now - begin > Self.limit / 2)
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a client that does not read its answer is reset`() throws {
            let server = try ServerThread(configuration { $0.sendTimeout = Self.limit }) { exchange, _ in
                exchange.respond(Response(status: 200, body: .bytes([UInt8](repeating: 65, count: 32 << 20))))
            }
            let client = try Client(server)
            try client.get("/")
            try server.wait { server, _ in server.openConnections == 1 }
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(throws: Client.Refused.self) { try client.readToEnd() }
            try server.stop()
        }

        @Test func `a client that reads slowly gets all of its answer`() throws {
            let server = try ServerThread(configuration { $0.sendTimeout = Self.limit }) { exchange, _ in
                exchange.respond(Response(status: 200, body: .bytes([UInt8](repeating: 65, count: 16 << 20))))
            }
            let client = try Client(server)
            try client.get("/")
            let begin = ContinuousClock.now
            // A megabyte at a time, with pauses, for more than the limit.
            let answer = try client.answer(pausingMilliseconds: 60)
            #expect(answer.body.utf8.count == 16 << 20)
            #expect(ContinuousClock.now - begin > Self.limit)
            try server.stop()
        }

        @Test func `a request that waits for its answer has no limit`() throws {
            let server = try ServerThread(
                configuration {
                    ($0.headTimeout, $0.bodyTimeout) = (Self.limit, Self.limit)
                    ($0.idleTimeout, $0.sendTimeout) = (Self.limit, Self.limit)
                }
            ) { exchange, desk in desk.waiting.append(exchange) }
            let client = try Client(server)
            try client.get("/")
            try server.wait { _, desk in desk.waiting.count == 1 }
            // Another connection shows that three limits' time has passed.
            for _ in 0..<3 {
                let other = try Client(server)
                #expect(try other.answer().status == 408)
            }
            try server.perform { _, desk in desk.waiting[0].respond(.make("late")) }
            #expect(try client.answer().body == "late")
            try server.stop()
        }

        @Test func `zero is no limit`() throws {
            let server = try ServerThread(
                configuration {
                    ($0.headTimeout, $0.bodyTimeout, $0.idleTimeout, $0.sendTimeout) = (.zero, .zero, .zero, .zero)
                }
            )
            let client = try Client(server)
            try client.get("/")
            _ = try client.answer()
            #expect(try server.perform { server, _ in server.timeout } == nil)
            try server.stop()
        }
    }
}
