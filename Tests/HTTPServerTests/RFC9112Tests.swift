import HTTPServer
import TestSupport
import Testing

extension ServerTests {
    /// Tests of the server against RFC 9112, on raw sockets.
    @Suite struct RFC9112Tests {
        private func check(_ example: RFC9112.Case) throws {
            let server = try ServerThread { exchange, fixture in
                fixture.waiting.append(exchange)
                exchange.respond(.make("ok"))
            }
            let client = try HTTPClient(server)
            try client.send(example.sent)
            client.finishSending()
            var statuses: [Int] = []
            var isLast = false
            let hasHead = example.sent.contains("HEAD ")
            // A client that has closed its sending side gets all its responses, and then the end of the stream.
            while try client.hasMore() {
                let response = try client.response(toHead: hasHead && statuses.count == 1)
                statuses.append(response.status)
                isLast = response.headers["connection"] == "close"
            }
            let finished = statuses.filter { $0 == 200 }.count
            if example.statuses.isEmpty {
                // An incomplete request is not a request. Its client may get 400.
                #expect(statuses.isEmpty || statuses == [400])
            } else {
                #expect(statuses == example.statuses)
                if example.closes { #expect(isLast || example.sent.contains("HTTP/1.0")) }
            }
            #expect(try server.perform { _, fixture in fixture.waiting.count } == finished)
            try server.stop()
        }

        @Test(arguments: RFC9112.messages)
        func `section 2, the message`(example: RFC9112.Case) throws { try check(example) }

        @Test(arguments: RFC9112.requestLines)
        func `section 3, the request line`(example: RFC9112.Case) throws { try check(example) }

        @Test(arguments: RFC9112.fields)
        func `section 5, fields`(example: RFC9112.Case) throws { try check(example) }

        @Test(arguments: RFC9112.bodies)
        func `section 6, the body and its length`(example: RFC9112.Case) throws { try check(example) }

        @Test(arguments: RFC9112.chunks)
        func `section 7, the chunked coding`(example: RFC9112.Case) throws { try check(example) }

        @Test(arguments: RFC9112.connections)
        func `section 9, the connection`(example: RFC9112.Case) throws { try check(example) }

        @Test(arguments: RFC9112.semantics)
        func `RFC 9110, related rules`(example: RFC9112.Case) throws { try check(example) }

        @Test(arguments: [204, 304])
        func `section 6.3, a response without content sends none`(status: Int) throws {
            let server = try ServerThread { exchange, _ in
                exchange.respond(exchange.request.path == "/" ? .make("dropped", status: status) : .make("next"))
            }
            let client = try HTTPClient(server)
            try client.send(RFC9112.get + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.response(toHead: true).status == status)
            #expect(try client.response().text == "next")
            try server.stop()
        }

        @Test func `section 8, a body that ends early is never handled`() throws {
            for text in ["Content-Length: 5\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc"] {
                let server = try ServerThread { exchange, fixture in fixture.waiting.append(exchange) }
                let client = try HTTPClient(server)
                try client.send("POST / HTTP/1.1\r\nHost: a\r\n" + text)
                client.finishSending()
                #expect(try client.isClosed())
                #expect(try server.perform { _, fixture in fixture.waiting.count } == 0)
                try server.stop()
            }
        }
    }
}
