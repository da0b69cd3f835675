import HTTPServer
import TestSupport
import Testing

extension ServerTests {
    /// Tests of requests that libmicrohttpd refuses by itself: they get one response with our text, and no request
    /// behind them is served.
    @Suite struct ErrorPageTests {
        static let requests: [(reason: String, request: String, status: Int)] = [
            ("a line without a space", "garbage\r\n\r\n", 400),
            ("a line that begins with a space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("a TLS handshake", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{3}\u{3}\r\n", 400),
            ("HTTP/0.9", "GET /\r\n\r\n", 400),
            ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
            ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
            ("http in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", 400),
            ("HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400),
            ("HTTP/1.", "GET / HTTP/1.\r\nHost: a\r\n\r\n", 400),
            ("a line without a colon", "GET / HTTP/1.1\r\nHost: a\r\nnone\r\n\r\n", 400),
            ("a first line without a colon", "GET / HTTP/1.1\r\nnone\r\nHost: a\r\n\r\n", 400),
            ("a Content-Length with a plus", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", 400),
            ("a Content-Length with a minus", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc", 400),
            ("a Content-Length of letters", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\nabc", 400),
            ("an empty Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc", 400),
            ("a hexadecimal Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", 400),
            ("a Content-Length with an exponent", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e1\r\n\r\nabc", 400),
            ("a fractional Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3.0\r\n\r\nabc", 400),
            ("a list of Content-Lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
            ("two numbers in a Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc", 400),
            ("white space after a Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\t\r\n\r\nabc", 400),
            (
                "a Content-Length of over 64 bits",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc", 413
            ),
            (
                "a Content-Length of exactly 64 bits",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nabc", 413
            ),
            (
                "a Content-Length of over 63 bits",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\nabc", 413
            ),
            ("a chunk size of letters", chunked("xyz\r\nabc\r\n0\r\n\r\n"), 400),
            ("no chunk size", chunked("\r\nabc\r\n0\r\n\r\n"), 400),
            ("a chunk size with a sign", chunked("+3\r\nabc\r\n0\r\n\r\n"), 400),
            ("a negative chunk size", chunked("-3\r\nabc\r\n0\r\n\r\n"), 400),
            ("a chunk size with a prefix", chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400),
            ("white space before a chunk size", chunked(" 3\r\nabc\r\n0\r\n\r\n"), 400),
            ("white space after a chunk size", chunked("3 \r\nabc\r\n0\r\n\r\n"), 400),
            ("a chunk size of over 64 bits", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), 413),
            ("a chunk longer than its size", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400),
            ("no line break after a chunk", chunked("3\r\nabc0\r\n\r\n"), 400),
            ("a trailer without a colon", chunked("3\r\nabc\r\n0\r\nnone\r\n\r\n"), 400),
            ("an endless method", String(repeating: "A", count: 50_000) + " / HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            ("an endless target", "GET /" + String(repeating: "a", count: 50_000) + " HTTP/1.1\r\n\r\n", 414),
            (
                "an endless header field",
                "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + String(repeating: "a", count: 50_000) + "\r\n\r\n", 431
            ),
            (
                "endless header fields",
                "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "a:\r\n", count: 9_000) + "\r\n", 431
            ),
            (
                "endless cookies",
                "GET / HTTP/1.1\r\nHost: a\r\nCookie: " + String(repeating: "a=b;", count: 3_000) + "\r\n\r\n", 431
            ),
        ]

        private static func chunked(_ body: String) -> String {
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        }

        @Test(arguments: requests.map(\.reason))
        func `a request that the library refuses gets one response with our text, and the connection is closed`(
            reason: String
        ) throws {
            let (_, request, status) = try #require(Self.requests.first { $0.reason == reason })
            var configuration = HTTPServerConfiguration()
            configuration.problem = { status, detail in .make("refused: \(status)", status: status) }
            let server = try ServerThread(configuration) { exchange, fixture in
                fixture.waiting.append(exchange)
                exchange.respond(.make("handled"))
            }
            let client = try HTTPClient(server)
            try client.send(request + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
            let response = try client.response()
            #expect(response.status == status)
            #expect(response.version == "HTTP/1.1")
            #expect(response.headers["connection"] == "close")
            #expect(response.text == "refused: \(status)")
            #expect(try client.isClosed())
            #expect(try server.perform { _, fixture in fixture.waiting.count } == 0)
            try server.stop()
        }

        @Test func `a replaced error page has a record`() throws {
            var configuration = HTTPServerConfiguration()
            let records = CompletionRecorder()
            configuration.onCompletion = { records.add($0) }
            let server = try ServerThread(configuration)
            for text in ["garbage\r\n\r\n", "GET / HTTP/3\r\n\r\n", "POST /a?b HTTP/1.1\r\nContent-Length: x\r\n\r\n"] {
                let client = try HTTPClient(server)
                try client.send(text)
                #expect(try client.response().status == 400)
                #expect(try client.isClosed())
            }
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(records.all.map(\.status) == [400, 400, 400])
            #expect(records.all.map(\.target) == [nil, nil, "/a"])
            #expect(records.all.allSatisfy { $0.wasRefused && $0.isSent && $0.bodyBytes > 0 })
            try server.stop()
        }

        @Test func `a client that hangs up without sending gets no response`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            client.finishSending()
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a client that hangs up within its first line gets 400`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.send("GET / HT")
            client.finishSending()
            #expect(try client.response().status == 400)
            try server.stop()
        }

        /// The server cannot distinguish this connection from one that ends with its response.
        ///
        /// So it closes the connection without another response.
        @Test func `a line without a space right behind a request gets no response`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\ngarbage\r\n")
            #expect(try client.response().status == 200)
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a line without a space on a kept connection gets 400`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.get("/")
            #expect(try client.response().status == 200)
            try client.send("garbage\r\n")
            #expect(try client.response().status == 400)
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a client that still sends when it is refused reads the reason`() throws {
            let server = try ServerThread()
            for _ in 0..<10 {
                let client = try HTTPClient(server)
                try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\nContent-Length: 1\r\n\r\n")
                try client.send([UInt8](repeating: 65, count: 2_000_000))
                #expect(try client.response().status == 400)
            }
            try server.stop()
        }
    }
}
