import HTTPServer
import Testing

extension ServerTests {
    /// What libmicrohttpd refuses by itself is answered in our words, with one head, and nothing behind it is served.
    @Suite struct PageTests {
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
            ("a Content-Length of nothing", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc", 400),
            ("a hexadecimal Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", 400),
            ("a Content-Length with an exponent", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e1\r\n\r\nabc", 400),
            ("a fractional Content-Length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3.0\r\n\r\nabc", 400),
            ("a list of Content-Lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
            ("two numbers", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc", 400),
            ("white space after the number", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\t\r\n\r\nabc", 400),
            (
                "a Content-Length of over 64 bits",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc", 413
            ),
            (
                "a Content-Length of just 64 bits",
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
            ("a method without an end", String(repeating: "A", count: 50_000) + " / HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            ("a target without an end", "GET /" + String(repeating: "a", count: 50_000) + " HTTP/1.1\r\n\r\n", 414),
            (
                "a header without an end",
                "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + String(repeating: "a", count: 50_000) + "\r\n\r\n", 431
            ),
            (
                "headers without an end",
                "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "a:\r\n", count: 9_000) + "\r\n", 431
            ),
            (
                "cookies without an end",
                "GET / HTTP/1.1\r\nHost: a\r\nCookie: " + String(repeating: "a=b;", count: 3_000) + "\r\n\r\n", 431
            ),
        ]

        private static func chunked(_ body: String) -> String {
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        }

        @Test(arguments: requests.map(\.reason))
        func `a request that the library refuses gets one answer in our words, and is closed`(reason: String) throws {
            let (_, request, status) = try #require(Self.requests.first { $0.reason == reason })
            var configuration = HTTPServerConfiguration()
            configuration.problem = { status, detail in .make("refused: \(status)", status: status) }
            let server = try ServerThread(configuration) { exchange, desk in
                desk.waiting.append(exchange)
                exchange.respond(.make("handled"))
            }
            let client = try Client(server)
            try client.send(request + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try client.answer()
            #expect(answer.status == status)
            #expect(answer.version == "HTTP/1.1")
            #expect(answer.headers["connection"] == "close")
            #expect(answer.body == "refused: \(status)")
            #expect(try client.isClosed())
            #expect(try server.perform { _, desk in desk.waiting.count } == 0)
            try server.stop()
        }

        @Test func `such an answer is told of`() throws {
            var configuration = HTTPServerConfiguration()
            let told = Told()
            configuration.onCompletion = { told.add($0) }
            let server = try ServerThread(configuration)
            for text in ["garbage\r\n\r\n", "GET / HTTP/3\r\n\r\n", "POST /a?b HTTP/1.1\r\nContent-Length: x\r\n\r\n"] {
                let client = try Client(server)
                try client.send(text)
                #expect(try client.answer().status == 400)
                #expect(try client.isClosed())
            }
            try server.wait { server, _ in server.openConnections == 0 }
            #expect(told.all.map(\.status) == [400, 400, 400])
            #expect(told.all.map(\.target) == [nil, nil, "/a"])
            #expect(told.all.allSatisfy { $0.wasRefused && $0.isWhole && $0.bodyBytes > 0 })
            try server.stop()
        }

        @Test func `a client that leaves without a word gets none`() throws {
            let server = try ServerThread()
            let client = try Client(server)
            client.finishSending()
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a client that leaves within its first line is told that it is malformed`() throws {
            let server = try ServerThread()
            let client = try Client(server)
            try client.send("GET / HT")
            client.finishSending()
            #expect(try client.answer().status == 400)
            try server.stop()
        }

        /// Nobody can tell it from a connection that ends with its answer, and so it is closed without a word.
        @Test func `a line without a space that is sent right behind a request is not answered`() throws {
            let server = try ServerThread()
            let client = try Client(server)
            try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\ngarbage\r\n")
            #expect(try client.answer().status == 200)
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a line without a space on a kept connection is answered`() throws {
            let server = try ServerThread()
            let client = try Client(server)
            try client.get("/")
            #expect(try client.answer().status == 200)
            try client.send("garbage\r\n")
            #expect(try client.answer().status == 400)
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a client that still sends when it is refused reads why`() throws {
            let server = try ServerThread()
            for _ in 0..<10 {
                let client = try Client(server)
                try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\nContent-Length: 1\r\n\r\n")
                try client.send([UInt8](repeating: 65, count: 2_000_000))
                #expect(try client.answer().status == 400)
            }
            try server.stop()
        }
    }
}
