import Glibc
import HTTPServer
import Testing

extension ServerTests {
    @Suite struct WaitingTests {
        private static let keep: ServerThread.Handler = { exchange, desk in desk.waiting.append(exchange) }

        @Test func `an answer may be given after the handler has returned`() throws {
            let server = try ServerThread(handler: Self.keep)
            let client = try Client(server)
            try client.get("/later")
            try server.wait { _, desk in desk.waiting.count == 1 }
            try server.perform { server, desk in
                desk.waiting[0].respond(.make("now"))
                #expect(server.timeout == .zero)
            }
            #expect(try client.answer().body == "now")
            try server.stop()
        }

        @Test func `a connection is kept after an answer that came late`() throws {
            let server = try ServerThread(handler: Self.keep)
            let client = try Client(server)
            for index in 0..<3 {
                try client.get("/")
                try server.wait { _, desk in desk.waiting.count == index + 1 }
                try server.perform { _, desk in desk.waiting[index].respond(.make("\(index)")) }
                #expect(try client.answer().body == "\(index)")
            }
            try server.stop()
        }

        @Test func `a handler may answer another exchange than its own`() throws {
            let server = try ServerThread { exchange, desk in
                desk.waiting.popLast()?.respond(.make(exchange.request.path))
                desk.waiting.append(exchange)
            }
            let (first, second) = (try Client(server), try Client(server))
            try first.get("/first")
            try server.wait { _, desk in desk.waiting.count == 1 }
            try second.get("/second")
            #expect(try first.answer().body == "/second")
            try server.stop()
        }

        @Test func `two hundred waiting connections are all answered`() throws {
            let server = try ServerThread(handler: Self.keep)
            let clients = try (0..<200).map { _ in try Client(server) }
            for (index, client) in clients.enumerated() { try client.get("/\(index)") }
            try server.wait { _, desk in desk.waiting.count == 200 }
            try server.perform { _, desk in
                for exchange in desk.waiting { exchange.respond(.make(exchange.request.path)) }
            }
            for (index, client) in clients.enumerated() { #expect(try client.answer().body == "/\(index)") }
            try server.stop()
        }

        @Test func `requests pipelined behind a waiting one are neither lost nor a hang-up`() throws {
            let server = try ServerThread { exchange, desk in
                guard exchange.request.path == "/slow" else { return exchange.respond(.make(exchange.request.path)) }
                exchange.onDisconnect = { exchange.respond(.make("hung up")) }
                desk.waiting.append(exchange)
            }
            let client = try Client(server)
            try client.get("/slow")
            try server.wait { _, desk in desk.waiting.count == 1 }
            try client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            let other = try Client(server)
            try other.get("/other")
            #expect(try other.answer().body == "/other")
            try server.perform { _, desk in desk.waiting[0].respond(.make("slow")) }
            #expect(try client.answer().body == "slow")
            #expect(try client.answer().body == "/1")
            #expect(try client.answer().body == "/2")
            try server.stop()
        }

        @Test func `a client that hangs up while it waits is noticed once, and its connection freed`() throws {
            let server = try ServerThread { exchange, desk in
                exchange.onDisconnect = { desk.waiting.append(exchange) }
            }
            var client: Client? = try Client(server)
            try client?.get("/")
            client = nil
            try server.wait { server, desk in desk.waiting.count == 1 && server.openConnections == 0 }
            try server.perform { _, desk in
                #expect(!desk.waiting[0].isOpen)
                desk.waiting[0].respond(.make("to nobody"))
            }
            #expect(try server.perform { _, desk in desk.waiting.count } == 1)
            try server.stop()
        }

        @Test func `a client that hung up with another request sent behind is let go`() throws {
            let server = try ServerThread(handler: Self.keep)
            let client = try Client(server)
            try client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            client.finishSending()
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(try server.perform { _, desk in desk.waiting.count } == 1)
            try server.stop()
        }

        @Test func `a client that resets its connection is noticed`() throws {
            let server = try ServerThread { exchange, desk in
                exchange.onDisconnect = { desk.waiting = [] }
                desk.waiting.append(exchange)
            }
            var client: Client? = try Client(server)
            try client?.get("/")
            try server.wait { _, desk in desk.waiting.count == 1 }
            client?.resetAtEnd()
            client = nil
            try server.wait { server, desk in desk.waiting.isEmpty && server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a client that closed its sending side gets the answer of onDisconnect`() throws {
            let server = try ServerThread { exchange, _ in
                exchange.onDisconnect = { exchange.respond(.make("as it stands")) }
            }
            let client = try Client(server)
            try client.get("/")
            client.finishSending()
            #expect(try client.answer().body == "as it stands")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test(arguments: [true, false])
        func `a client that closed its sending side gets an answer that comes in a moment`(isLate: Bool) throws {
            let server = try ServerThread { exchange, desk in
                exchange.answersSoon = !isLate
                exchange.onDisconnect = {
                    exchange.answersSoon = true
                    desk.waiting.append(exchange)
                }
            }
            let client = try Client(server)
            try client.get("/")
            client.finishSending()
            try server.wait { _, desk in desk.waiting.count == 1 }
            try server.perform { _, desk in
                #expect(desk.waiting[0].isOpen)
                desk.waiting[0].respond(.make("written"))
            }
            #expect(try client.answer().body == "written")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a server is stopped although it owes an answer to a client that hung up`() throws {
            let server = try ServerThread { exchange, desk in
                exchange.answersSoon = true
                exchange.onDisconnect = { desk.waiting.append(exchange) }
            }
            let client = try Client(server)
            try client.get("/")
            client.finishSending()
            try server.wait { _, desk in desk.waiting.count == 1 }
            try server.stop()
        }

        @Test func `all requests sent before the sending side was closed get an answer`() throws {
            let server = try ServerThread { exchange, _ in
                exchange.onDisconnect = { exchange.respond(.make(exchange.request.path)) }
            }
            let client = try Client(server)
            let paths = (0..<10).map { "/\($0)" }
            try client.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            client.finishSending()
            for path in paths { #expect(try client.answer().body == path) }
            try server.stop()
        }

        @Test func `an answer is not lost when the sending side is closed just before it`() throws {
            let server = try ServerThread(handler: Self.keep)
            let client = try Client(server)
            try client.get("/")
            try server.wait { _, desk in desk.waiting.count == 1 }
            let socket = client.descriptor
            try server.perform { _, desk in
                // No run() in between: the server does not know of it yet.
                shutdown(socket, Int32(SHUT_WR))
                desk.waiting[0].respond(.make("in time"))
            }
            #expect(try client.answer().body == "in time")
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a client that closes its sending side with its request is closed after the answer`() throws {
            let server = try ServerThread()
            let client = try Client(server)
            try client.get("/")
            client.finishSending()
            #expect(try client.answer().body == "hello")
            #expect(try client.isClosed())
            try server.stop()
        }
    }
}
