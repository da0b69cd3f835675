import Glibc
import HTTPServer
import TestSupport
import Testing

extension ServerTests {
    @Suite struct ResponseTests {
        @Test func `a response has the handler's status, headers and body, a length and a date`() throws {
            let server = try ServerThread { exchange, _ in exchange.respond(.make("made", status: 201)) }
            let client = try HTTPClient(server)
            try client.get("/")
            let response = try client.response()
            #expect(response.status == 201)
            #expect(response.text == "made")
            #expect(Set(response.headers.keys) == ["date", "content-type", "content-length"])
            try server.stop()
        }

        @Test func `a connection is kept for the next request`() throws {
            let server = try ServerThread { exchange, _ in exchange.respond(.make(exchange.request.path)) }
            let client = try HTTPClient(server)
            for path in ["/a", "/b", "/c"] {
                try client.get(path)
                #expect(try client.response().text == path)
            }
            #expect(try server.perform { server, _ in server.openConnections } == 1)
            try server.stop()
        }

        @Test func `pipelined requests get their responses in order`() throws {
            let server = try ServerThread { exchange, _ in exchange.respond(.make(exchange.request.path)) }
            let client = try HTTPClient(server)
            let paths = (0..<20).map { "/\($0)" }
            try client.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            for path in paths { #expect(try client.response().text == path) }
            try server.stop()
        }

        @Test func `Connection close closes the connection`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.get("/", ["Connection: close"])
            #expect(try client.response().headers["connection"] == "close")
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `HEAD gets the length of GET and no body`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.response(toHead: true).headers["content-length"] == "5")
            try client.get("/")
            #expect(try client.response().text == "hello")
            try server.stop()
        }

        @Test func `HTTP 1.0 without a Host gets a response, and the connection is closed`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.send("GET / HTTP/1.0\r\n\r\n")
            #expect(try client.response().text == "hello")
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a part of a file is sent from its offset`() throws {
            var path = Array("/tmp/sandglass-http-XXXXXX".utf8CString)
            let descriptor = mkstemp(&path)
            unlink(path)
            let content = (0..<200_000).map { UInt8(ascii: "a") + UInt8($0 % 26) }
            try #require(write(descriptor, content, content.count) == content.count)
            let file = OpenFile(owning: descriptor)
            let server = try ServerThread { exchange, _ in
                exchange.respond(Response(status: 206, body: .file(file, offset: 3, count: 150_000)))
            }
            let client = try HTTPClient(server)
            try client.get("/")
            #expect(try client.response().text == String(decoding: content[3..<150_003], as: UTF8.self))
            try server.stop()
        }

        @Test func `a missing file is an error with its path`() throws {
            #expect(throws: HTTPServerError(operation: .open, subject: "/nowhere/at/all", errno: ENOENT)) {
                try OpenFile(path: "/nowhere/at/all")
            }
        }

        @Test func `a body of 8 MiB arrives whole`() throws {
            let text = String(repeating: "0123456789abcdef", count: 1 << 19)
            let server = try ServerThread { exchange, _ in exchange.respond(.make(text)) }
            let client = try HTTPClient(server)
            try client.get("/")
            #expect(try client.response().text == text)
            try server.stop()
        }

        @Test func `a response with a line break in a header becomes a 500`() throws {
            let server = try ServerThread { exchange, _ in
                exchange.respond(Response(status: 200, headers: [HeaderField("X-A", "b\r\nX-C: d")]))
            }
            let client = try HTTPClient(server)
            try client.get("/")
            #expect(try client.response().status == 500)
            try server.stop()
        }

        @Test func `a prepared response is sent to several clients, for GET and HEAD`() throws {
            let server = try ServerThread { exchange, fixture in
                if fixture.prepared == nil { fixture.prepared = PreparedResponse(.make("made once", status: 203)) }
                if let prepared = fixture.prepared { exchange.respond(prepared) }
            }
            let clients = [try HTTPClient(server), try HTTPClient(server)]
            for client in clients + clients {
                try client.get("/")
                let response = try client.response()
                #expect(response.status == 203)
                #expect(response.text == "made once")
                #expect(Set(response.headers.keys) == ["date", "content-type", "content-length"])
            }
            try clients[0].send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try clients[0].response(toHead: true).headers["content-length"] == "9")
            try server.stop()
        }

        @Test func `an invalid response cannot be prepared`() {
            #expect(PreparedResponse(Response(status: 200, headers: [HeaderField("X-A", "b\r\nX-C: d")])) == nil)
            #expect(PreparedResponse(Response(status: 100)) == nil)
        }

        @Test func `only the first response counts`() throws {
            let server = try ServerThread { exchange, _ in
                exchange.respond(.make("first"))
                exchange.respond(.make("second"))
            }
            let client = try HTTPClient(server)
            try client.get("/")
            #expect(try client.response().text == "first")
            try client.get("/")
            #expect(try client.response().text == "first")
            try server.stop()
        }

        @Test func `a handler sees the whole request`() throws {
            let server = try ServerThread { exchange, _ in
                let request = exchange.request
                let query = request.query.map { "\($0.name)=\($0.value ?? "nil")" }.joined(separator: ";")
                let tags = request.headers.values(of: "x-tag").joined(separator: ";")
                let body = String(decoding: request.body, as: UTF8.self)
                let parts = request.pathSegments.joined(separator: "|")
                exchange.respond(.make("\(request.method) \(request.target) \(parts) \(query) \(tags) \(body)"))
            }
            let client = try HTTPClient(server)
            try client.send(
                "PUT /a%20b/c%2Fd?x=1+2&y&z=%C3%A4 HTTP/1.1\r\nhost: a\r\nX-Tag: one \r\nX-TAG:\ttwo\r\n"
                    + "Content-Length: 4\r\n\r\nbody"
            )
            #expect(try client.response().text == "PUT /a%20b/c%2Fd a b|c/d x=1 2;y=nil;z=ä one;two body")
            try server.stop()
        }
    }
}
