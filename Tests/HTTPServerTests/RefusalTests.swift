import HTTPServer
import TestSupport
import Testing

extension ServerTests {
    @Suite struct RefusalTests {
        /// Malformed requests, and the reason why each is refused.
        static let requests: [(reason: String, request: String)] = [
            (
                "Content-Length and Transfer-Encoding",
                "POST / HTTP/1.1\r\nHost: a\r\n"
                    + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
            (
                "Transfer-Encoding and Content-Length",
                "POST / HTTP/1.1\r\nHost: a\r\n"
                    + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
            ),
            (
                "two Content-Lengths that differ",
                "POST / HTTP/1.1\r\nHost: a\r\n"
                    + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
            ),
            (
                "two Content-Lengths that agree",
                "POST / HTTP/1.1\r\nHost: a\r\n"
                    + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"
            ),
            ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            ("no Host", "GET / HTTP/1.1\r\nX-A: b\r\n\r\n"),
            ("two Hosts on HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
            ("white space before the colon", "GET / HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n"),
            ("a name with a parenthesis", "GET / HTTP/1.1\r\nHost: a\r\nX(A): b\r\n\r\n"),
            ("a name that is empty", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
            ("gzip", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
            ("gzip, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            (
                "chunked with a space after",
                "POST / HTTP/1.1\r\nHost: a\r\n"
                    + "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n"
            ),
            (
                "two Transfer-Encodings",
                "POST / HTTP/1.1\r\nHost: a\r\n"
                    + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
            ),
            (
                "Transfer-Encoding on HTTP/1.0",
                "POST / HTTP/1.0\r\nHost: a\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
            ("a control character in the target", "GET /a\u{1}b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a byte over 127 in the target", "GET /ä HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a control character in a header", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\u{1}c\r\n\r\n"),
            ("a carriage return in a header", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\n\r\n"),
            ("a NUL in a header", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n"),
            ("a line that starts with a NUL", "GET / HTTP/1.1\r\nHost: a\r\n\0X-A: b\r\n\r\n"),
            ("a bare line feed after a header", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\nX-C: d\r\n\r\n"),
            ("a bare line feed after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
            ("a bare line feed as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
            ("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n"),
            (
                "a folded line that makes a Content-Length",
                "POST / HTTP/1.1\r\nHost: a\r\n"
                    + "Content-: 3\r\n Length\r\n\r\nabc"
            ),
            ("two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("two spaces after the target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("an escaped NUL", "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("an escaped NUL in the query", "GET /?a=%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a dot segment", "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a single dot segment", "GET /a/./b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("an escaped dot segment", "GET /a/%2e%2E/b HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("half an escaped dot segment", "GET /a/.%2e HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a dot segment behind an escaped slash", "GET /a%2F..%2Fb HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("half a percent escape", "GET /a%4 HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a malformed percent escape", "GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a malformed percent escape in the query", "GET /?a=%g1 HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("escapes that are not UTF-8", "GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("escapes that are not UTF-8 in the query", "GET /?%c3 HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("no slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("an asterisk with GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("an absolute target of another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("a method that is not a token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ]

        @Test(arguments: requests.map(\.reason))
        func `a malformed request gets 400 and never reaches the handler`(reason: String) throws {
            let request = try #require(Self.requests.first { $0.reason == reason }).request
            let server = try ServerThread { exchange, fixture in
                fixture.waiting.append(exchange)
                exchange.respond(.make("handled"))
            }
            let client = try HTTPClient(server)
            try client.send(request)
            let response = try client.response()
            #expect(response.status == 400)
            #expect(response.headers["connection"] == "close")
            #expect(try client.isClosed())
            #expect(try server.perform { _, fixture in fixture.waiting.count } == 0)
            try server.stop()
        }

        @Test func `the configuration makes the response to a refused request`() throws {
            var configuration = HTTPServerConfiguration()
            configuration.problem = { status, detail in .make("\(status): \(detail)", status: status) }
            let server = try ServerThread(configuration)
            let client = try HTTPClient(server)
            try client.get("/%")
            #expect(try client.response().text == "400: The request target contains a malformed percent escape.")
            try server.stop()
        }

        @Test func `a target over the limit gets 414`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.get("/" + String(repeating: "a", count: 8 << 10))
            #expect(try client.response().status == 414)
            try server.stop()
        }

        /// The second size exceeds MHD's memory for a connection.
        @Test(arguments: [16 << 10, 20_000])
        func `headers over the limit get 431`(bytes: Int) throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.get("/", ["X-A: \(String(repeating: "a", count: bytes))"])
            #expect(try client.response().status == 431)
            try server.stop()
        }

        @Test(arguments: [(99, 200), (100, 431)])
        func `more than a hundred header fields get 431`(others: Int, status: Int) throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.get("/", Array(repeating: "a: b", count: others))
            #expect(try client.response().status == status)
            try server.stop()
        }

        @Test func `headers just under the limit are accepted`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.get("/", ["X-A: \(String(repeating: "a", count: (16 << 10) - 100))"])
            #expect(try client.response().status == 200)
            try server.stop()
        }

        @Test func `four thousand query items are accepted`() throws {
            let server = try ServerThread { exchange, _ in exchange.respond(.make("\(exchange.request.query.count)")) }
            let client = try HTTPClient(server)
            try client.get("/?" + String(repeating: "a&", count: 4_000))
            #expect(try client.response().text == "4000")
            try server.stop()
        }

        @Test(arguments: ["http://a/x", "HTTP://A/x", "http://a/x?y"])
        func `an absolute target with the same host is accepted`(target: String) throws {
            let server = try ServerThread { exchange, _ in exchange.respond(.make(exchange.request.path)) }
            let client = try HTTPClient(server)
            try client.send("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.response().text == "/x")
            try server.stop()
        }

        @Test func `OPTIONS may address the server as a whole`() throws {
            let server = try ServerThread { exchange, _ in exchange.respond(.make(exchange.request.path)) }
            let client = try HTTPClient(server)
            try client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try client.response().text == "*")
            try server.stop()
        }

        @Test func `many header fields, with and without white space, in pieces, are accepted`() throws {
            let server = try ServerThread { exchange, _ in exchange.respond(.make("\(exchange.request.headers.count)"))
            }
            let client = try HTTPClient(server)
            let fields = (0..<98).map { index in
                "X-\(index):" + String(repeating: " ", count: index % 4) + (index % 3 == 0 ? "" : "v") + "\r\n"
            }
            try client.send("\r\nGET /a?b=c&d HTTP/1.1\r\nHost: a\r\n")
            for field in fields {
                try client.send(String(field.prefix(5)))
                try client.send(String(field.dropFirst(5)))
            }
            try client.send("Cookie: a=b; c=d\r\n\r\n")
            #expect(try client.response().text == "100")
            try server.stop()
        }
    }
}
