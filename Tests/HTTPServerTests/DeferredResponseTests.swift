import Glibc
import HTTPServer
import TestSupport
import Testing

extension ServerTests {
    @Suite struct DeferredResponseTests {
        private static let storeExchange: ServerThread.Handler = { exchange, fixture in fixture.waiting.append(exchange)
        }

        @Test func `a handler may respond after it has returned`() throws {
            let server = try ServerThread(handler: Self.storeExchange)
            let client = try HTTPClient(server)
            try client.get("/later")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            try server.perform { server, fixture in
                fixture.waiting[0].respond(.make("now"))
                #expect(server.timeout == .zero)
            }
            #expect(try client.response().text == "now")
            try server.stop()
        }

        @Test func `a connection is kept after a deferred response`() throws {
            let server = try ServerThread(handler: Self.storeExchange)
            let client = try HTTPClient(server)
            for index in 0..<3 {
                try client.get("/")
                try server.wait { _, fixture in fixture.waiting.count == index + 1 }
                try server.perform { _, fixture in fixture.waiting[index].respond(.make("\(index)")) }
                #expect(try client.response().text == "\(index)")
            }
            try server.stop()
        }

        @Test func `a handler may respond to another exchange than its own`() throws {
            let server = try ServerThread { exchange, fixture in
                fixture.waiting.popLast()?.respond(.make(exchange.request.path))
                fixture.waiting.append(exchange)
            }
            let (first, second) = (try HTTPClient(server), try HTTPClient(server))
            try first.get("/first")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            try second.get("/second")
            #expect(try first.response().text == "/second")
            try server.stop()
        }

        @Test func `two hundred waiting connections all get a response`() throws {
            let server = try ServerThread(handler: Self.storeExchange)
            let clients = try (0..<200).map { _ in try HTTPClient(server) }
            for (index, client) in clients.enumerated() { try client.get("/\(index)") }
            try server.wait { _, fixture in fixture.waiting.count == 200 }
            try server.perform { _, fixture in
                for exchange in fixture.waiting { exchange.respond(.make(exchange.request.path)) }
            }
            for (index, client) in clients.enumerated() { #expect(try client.response().text == "/\(index)") }
            try server.stop()
        }

        @Test func `requests pipelined behind a waiting one are neither lost nor taken for a hang-up`() throws {
            let server = try ServerThread { exchange, fixture in
                guard exchange.request.path == "/slow" else { return exchange.respond(.make(exchange.request.path)) }
                exchange.onDisconnect = { exchange.respond(.make("hung up")) }
                fixture.waiting.append(exchange)
            }
            let client = try HTTPClient(server)
            try client.get("/slow")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            try client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            let other = try HTTPClient(server)
            try other.get("/other")
            #expect(try other.response().text == "/other")
            try server.perform { _, fixture in fixture.waiting[0].respond(.make("slow")) }
            #expect(try client.response().text == "slow")
            #expect(try client.response().text == "/1")
            #expect(try client.response().text == "/2")
            try server.stop()
        }

        @Test func `a client that hangs up while it waits is noticed once, and its connection is closed`() throws {
            let server = try ServerThread { exchange, fixture in
                exchange.onDisconnect = { fixture.waiting.append(exchange) }
            }
            var client: HTTPClient? = try HTTPClient(server)
            try client?.get("/")
            client = nil
            try server.wait { server, fixture in fixture.waiting.count == 1 && server.openConnections == 0 }
            try server.perform { _, fixture in
                #expect(!fixture.waiting[0].isOpen)
                fixture.waiting[0].respond(.make("too late"))
            }
            #expect(try server.perform { _, fixture in fixture.waiting.count } == 1)
            try server.stop()
        }

        @Test func `a client that sent another request before it hung up is disconnected`() throws {
            let server = try ServerThread(handler: Self.storeExchange)
            let client = try HTTPClient(server)
            try client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            client.finishSending()
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(try server.perform { _, fixture in fixture.waiting.count } == 1)
            try server.stop()
        }

        @Test func `a client that resets its connection is noticed`() throws {
            let server = try ServerThread { exchange, fixture in
                exchange.onDisconnect = { fixture.waiting = [] }
                fixture.waiting.append(exchange)
            }
            var client: HTTPClient? = try HTTPClient(server)
            try client?.get("/")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            client?.resetOnClose()
            client = nil
            try server.wait { server, fixture in fixture.waiting.isEmpty && server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a client that closed its sending side gets the response of onDisconnect`() throws {
            let server = try ServerThread { exchange, _ in
                exchange.onDisconnect = { exchange.respond(.make("partial")) }
            }
            let client = try HTTPClient(server)
            try client.get("/")
            client.finishSending()
            #expect(try client.response().text == "partial")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test(arguments: [true, false])
        func `a client that closed its sending side gets a prompt response`(isLate: Bool) throws {
            let server = try ServerThread { exchange, fixture in
                exchange.respondsPromptly = !isLate
                exchange.onDisconnect = {
                    exchange.respondsPromptly = true
                    fixture.waiting.append(exchange)
                }
            }
            let client = try HTTPClient(server)
            try client.get("/")
            client.finishSending()
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            try server.perform { _, fixture in
                #expect(fixture.waiting[0].isOpen)
                fixture.waiting[0].respond(.make("written"))
            }
            #expect(try client.response().text == "written")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a server stops although it owes a response to a client that hung up`() throws {
            let server = try ServerThread { exchange, fixture in
                exchange.respondsPromptly = true
                exchange.onDisconnect = { fixture.waiting.append(exchange) }
            }
            let client = try HTTPClient(server)
            try client.get("/")
            client.finishSending()
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            try server.stop()
        }

        @Test func `all requests sent before the sending side was closed get a response`() throws {
            let server = try ServerThread { exchange, _ in
                exchange.onDisconnect = { exchange.respond(.make(exchange.request.path)) }
            }
            let client = try HTTPClient(server)
            let paths = (0..<10).map { "/\($0)" }
            try client.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            client.finishSending()
            for path in paths { #expect(try client.response().text == path) }
            try server.stop()
        }

        @Test func `a response is not lost when the client closes its sending side just before it`() throws {
            let server = try ServerThread(handler: Self.storeExchange)
            let client = try HTTPClient(server)
            try client.get("/")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            let socket = client.descriptor
            try server.perform { _, fixture in
                // Without a run() in between, the server does not know that the client closed its sending side.
                shutdown(socket, Int32(SHUT_WR))
                fixture.waiting[0].respond(.make("in time"))
            }
            #expect(try client.response().text == "in time")
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test
        func
            `the server closes a connection after the response if the client closed its sending side with the request`()
            throws
        {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.get("/")
            client.finishSending()
            #expect(try client.response().text == "hello")
            #expect(try client.isClosed())
            try server.stop()
        }
    }
}
