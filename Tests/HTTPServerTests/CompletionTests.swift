import HTTPServer
import Testing

extension ServerTests {
    /// What is told of each request when it is over.
    @Suite struct CompletionTests {
        private func configuration(_ log: Told, bodyBytes: Int = 1_000) -> HTTPServerConfiguration {
            var configuration = HTTPServerConfiguration.make(maximumBodyBytes: bodyBytes)
            configuration.onCompletion = { log.add($0) }
            return configuration
        }

        private func only(_ log: Told, _ server: ServerThread) throws -> CompletedRequest {
            try server.wait { _, _ in !log.all.isEmpty }
            try server.stop()
            let all = log.all
            try #require(all.count == 1)
            return all[0]
        }

        @Test func `an answered request is told with its answer, its client and the handler's note`() throws {
            let log = Told()
            let server = try ServerThread(configuration(log)) { exchange, _ in
                exchange.note = "noted for \(exchange.clientAddress)"
                exchange.respond(.make("made", status: 201))
            }
            let client = try Client(server)
            try client.get("/a%20b?c=d")
            _ = try client.answer()
            let request = try only(log, server)
            #expect(request.method == "GET")
            #expect(request.target == "/a%20b")
            #expect(request.status == 201)
            #expect(request.bodyBytes == 4)
            #expect(request.isWhole)
            #expect(!request.wasRefused)
            #expect(request.clientAddress == "127.0.0.1")
            #expect(request.note as? String == "noted for 127.0.0.1")
        }

        @Test func `its duration includes the time that it waited`() throws {
            let log = Told()
            let server = try ServerThread(configuration(log)) { exchange, desk in desk.waiting.append(exchange) }
            let client = try Client(server)
            let begin = ContinuousClock.now
            try client.get("/")
            try server.wait { _, desk in desk.waiting.count == 1 }
            let middle = ContinuousClock.now
            #expect(log.all.isEmpty)
            try server.perform { _, desk in
                // Longer than the clock's step.
                while ContinuousClock.now - middle < .milliseconds(5) {}
                desk.waiting[0].respond(.make("late"))
            }
            _ = try client.answer()
            let request = try only(log, server)
            #expect(request.duration >= .milliseconds(5))
            #expect(request.duration <= ContinuousClock.now - begin)
        }

        @Test func `requests on one connection are told one by one`() throws {
            let log = Told()
            let server = try ServerThread(configuration(log)) { exchange, _ in
                exchange.respond(.make(exchange.request.path))
            }
            let client = try Client(server)
            for path in ["/1", "/2", "/3"] {
                try client.get(path)
                _ = try client.answer()
            }
            try server.wait { _, _ in log.all.count == 3 }
            #expect(log.all.map(\.target) == ["/1", "/2", "/3"])
            try server.stop()
        }

        @Test func `HEAD is told to have sent no body`() throws {
            let log = Told()
            let server = try ServerThread(configuration(log))
            let client = try Client(server)
            try client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try client.answer(toHead: true)
            let request = try only(log, server)
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
        func `a refused request is told as one`(text: String, status: Int, method: String?, target: String?) throws {
            let log = Told()
            let server = try ServerThread(configuration(log))
            var client: Client? = try Client(server)
            try client?.send(text)
            let answer = try #require(try client?.answer())
            #expect(answer.status == status)
            client = nil
            let request = try only(log, server)
            #expect(request.status == status)
            #expect(request.method == method)
            #expect(request.target == target)
            #expect(request.wasRefused)
            #expect(request.bodyBytes == answer.body.utf8.count)
        }

        @Test func `a request whose client hung up is told without an answer`() throws {
            let log = Told()
            let server = try ServerThread(configuration(log)) { exchange, _ in exchange.note = 1 }
            var client: Client? = try Client(server)
            try client?.get("/gone")
            client = nil
            let request = try only(log, server)
            #expect(request.target == "/gone")
            #expect(request.status == nil)
            #expect(!request.isWhole)
            #expect(!request.wasRefused)
            #expect(request.note as? Int == 1)
        }

        @Test func `a body that ended early is told without an answer`() throws {
            let log = Told()
            let server = try ServerThread(configuration(log))
            let client = try Client(server)
            try client.send("POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            client.finishSending()
            let request = try only(log, server)
            #expect(request.method == "POST")
            #expect(request.target == "/half")
            #expect(request.status == nil)
            #expect(request.wasRefused)
        }

        @Test func `a client that does not read an answer to its end is told`() throws {
            let log = Told()
            let server = try ServerThread(configuration(log)) { exchange, _ in
                exchange.respond(Response(status: 200, body: .bytes([UInt8](repeating: 65, count: 32 << 20))))
            }
            var client: Client? = try Client(server)
            try client?.get("/")
            try server.wait { server, _ in server.openConnections == 1 }
            client?.resetAtEnd()
            client = nil
            let request = try only(log, server)
            #expect(request.status == 200)
            #expect(!request.isWhole)
        }

        @Test func `requests that wait when the server is stopped are told`() throws {
            let log = Told()
            let server = try ServerThread(configuration(log)) { exchange, desk in desk.waiting.append(exchange) }
            let client = try Client(server)
            try client.get("/waits")
            try server.wait { _, desk in desk.waiting.count == 1 }
            try server.stop()
            #expect(log.all.map(\.target) == ["/waits"])
            #expect(log.all.map(\.status) == [nil])
        }
    }
}
