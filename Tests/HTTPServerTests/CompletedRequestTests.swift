import HTTPServer
import TestSupport
import Testing

extension ServerTests {
    /// Tests of the record that the server makes of each completed request.
    @Suite struct CompletedRequestTests {
        private func configuration(_ log: CompletionRecorder, bodyBytes: Int = 1_000) -> HTTPServerConfiguration {
            var configuration = HTTPServerConfiguration.make(maximumBodyBytes: bodyBytes)
            configuration.onCompletion = { log.add($0) }
            return configuration
        }

        /// Stops the server after its first record, and returns that record, which must be the only one.
        private func record(from log: CompletionRecorder, _ server: ServerThread) throws -> CompletedRequest {
            try server.wait { _, _ in !log.all.isEmpty }
            try server.stop()
            let all = log.all
            try #require(all.count == 1)
            return all[0]
        }

        @Test func `a record has the response, the client and the handler's metadata`() throws {
            let log = CompletionRecorder()
            let server = try ServerThread(configuration(log)) { exchange, _ in
                exchange.metadata = "metadata for \(exchange.clientAddress)"
                exchange.respond(.make("made", status: 201))
            }
            let client = try HTTPClient(server)
            try client.get("/a%20b?c=d")
            _ = try client.response()
            let request = try record(from: log, server)
            #expect(request.method == "GET")
            #expect(request.target == "/a%20b")
            #expect(request.status == 201)
            #expect(request.bodyBytes == 4)
            #expect(request.isSent)
            #expect(!request.wasRefused)
            #expect(request.clientAddress == "127.0.0.1")
            #expect(request.metadata as? String == "metadata for 127.0.0.1")
        }

        @Test func `the duration includes the time without a response`() throws {
            let log = CompletionRecorder()
            let server = try ServerThread(configuration(log)) { exchange, fixture in fixture.waiting.append(exchange) }
            let client = try HTTPClient(server)
            let begin = ContinuousClock.now
            try client.get("/")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            let middle = ContinuousClock.now
            #expect(log.all.isEmpty)
            try server.perform { _, fixture in
                // Longer than the resolution of the clock.
                while ContinuousClock.now - middle < .milliseconds(5) {}
                fixture.waiting[0].respond(.make("late"))
            }
            _ = try client.response()
            let request = try record(from: log, server)
            #expect(request.duration >= .milliseconds(5))
            #expect(request.duration <= ContinuousClock.now - begin)
        }

        @Test func `each request on a connection has its own record`() throws {
            let log = CompletionRecorder()
            let server = try ServerThread(configuration(log)) { exchange, _ in
                exchange.respond(.make(exchange.request.path))
            }
            let client = try HTTPClient(server)
            for path in ["/1", "/2", "/3"] {
                try client.get(path)
                _ = try client.response()
            }
            try server.wait { _, _ in log.all.count == 3 }
            #expect(log.all.map(\.target) == ["/1", "/2", "/3"])
            try server.stop()
        }

        @Test func `the record of HEAD has no body bytes`() throws {
            let log = CompletionRecorder()
            let server = try ServerThread(configuration(log))
            let client = try HTTPClient(server)
            try client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.response(toHead: true)
            let request = try record(from: log, server)
            #expect(request.status == 200)
            #expect(request.bodyBytes == 0)
        }

        @Test(arguments: [
            ("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "GET", nil),
            ("GET /a HTTP/1.1\r\n\r\n", 400, "GET", "/a"),
            ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413, "POST", "/a"),
            ("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n", 413, "POST", "/a"),
            (
                "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n"
                    + String(repeating: "x", count: 1_001), 413, "POST", "/a"
            ),
        ])
        func `a refused request has a record that says so`(
            text: String,
            status: Int,
            method: String?,
            target: String?
        ) throws {
            let log = CompletionRecorder()
            let server = try ServerThread(configuration(log))
            var client: HTTPClient? = try HTTPClient(server)
            try client?.send(text)
            let response = try #require(try client?.response())
            #expect(response.status == status)
            client = nil
            let request = try record(from: log, server)
            #expect(request.status == status)
            #expect(request.method == method)
            #expect(request.target == target)
            #expect(request.wasRefused)
            #expect(request.bodyBytes == response.text.utf8.count)
        }

        @Test func `a request whose client hung up has a record without a status`() throws {
            let log = CompletionRecorder()
            let server = try ServerThread(configuration(log)) { exchange, _ in exchange.metadata = 1 }
            var client: HTTPClient? = try HTTPClient(server)
            try client?.get("/gone")
            client = nil
            let request = try record(from: log, server)
            #expect(request.target == "/gone")
            #expect(request.status == nil)
            #expect(!request.isSent)
            #expect(!request.wasRefused)
            #expect(request.metadata as? Int == 1)
        }

        @Test func `a body that ended early has a record without a status`() throws {
            let log = CompletionRecorder()
            let server = try ServerThread(configuration(log))
            let client = try HTTPClient(server)
            try client.send("POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            client.finishSending()
            let request = try record(from: log, server)
            #expect(request.method == "POST")
            #expect(request.target == "/half")
            #expect(request.status == nil)
            #expect(request.wasRefused)
        }

        @Test func `the record shows that a client did not read the whole response`() throws {
            let log = CompletionRecorder()
            let server = try ServerThread(configuration(log)) { exchange, _ in
                exchange.respond(Response(status: 200, body: .bytes([UInt8](repeating: 65, count: 32 << 20))))
            }
            var client: HTTPClient? = try HTTPClient(server)
            try client?.get("/")
            try server.wait { server, _ in server.openConnections == 1 }
            client?.resetOnClose()
            client = nil
            let request = try record(from: log, server)
            #expect(request.status == 200)
            #expect(!request.isSent)
        }

        @Test func `requests without a response have a record when the server stops`() throws {
            let log = CompletionRecorder()
            let server = try ServerThread(configuration(log)) { exchange, fixture in fixture.waiting.append(exchange) }
            let client = try HTTPClient(server)
            try client.get("/waits")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            try server.stop()
            #expect(log.all.map(\.target) == ["/waits"])
            #expect(log.all.map(\.status) == [nil])
        }
    }
}
