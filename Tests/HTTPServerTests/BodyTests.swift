import Foundation
import Glibc
import HTTPServer
import Testing

extension ServerTests {
    @Suite struct BodyTests {
        private static let handler: ServerThread.Handler = { exchange, _ in
            exchange.respond(.make("\(exchange.request.body.count)"))
        }

        @Test func `a body of just the limit is taken`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 1_000), handler: Self.handler)
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            try client.send([UInt8](repeating: 65, count: 1_000))
            #expect(try client.answer().body == "1000")
            try server.stop()
        }

        @Test func `an announced body over the limit gets 413 before it is sent`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 1_000), handler: Self.handler)
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
            let answer = try client.answer()
            #expect(answer.status == 413)
            #expect(answer.headers["connection"] == "close")
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a client that sends the whole of a body over the limit still reads 413`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 8 << 20), handler: Self.handler)
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(12 << 20)\r\n\r\n")
            try client.send([UInt8](repeating: 65, count: 12 << 20))
            #expect(try client.answer().status == 413)
            try server.stop()
        }

        @Test func `a chunked body gets 413 when it passes the limit`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 1_000), handler: Self.handler)
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<3 { try client.send("1f4\r\n" + String(repeating: "x", count: 500) + "\r\n") }
            let answer = try client.answer()
            #expect(answer.status == 413)
            #expect(answer.headers["connection"] == "close")
            try client.send("0\r\n\r\n")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a chunked body without an end is cut off`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 1_000), handler: Self.handler)
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 65, count: 65_536) + Array("\r\n".utf8)
            // The server reads a megabyte more; then it closes, and sending fails.
            #expect(throws: Client.Refused.self) {
                for _ in 0..<1_000 { try client.send(chunk) }
            }
            try server.stop()
        }

        @Test func `a chunked body is joined`() throws {
            let server = try ServerThread { exchange, _ in
                exchange.respond(.make(String(decoding: exchange.request.body, as: UTF8.self)))
            }
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n")
            try client.send("2;x=y\r\nde\r\n0\r\nTrailer: z\r\n\r\n")
            #expect(try client.answer().body == "abcde")
            try client.get("/")
            #expect(try client.answer().status == 200)
            try server.stop()
        }

        @Test func `Expect 100-continue is answered with 100 before the body`() throws {
            let server = try ServerThread(handler: Self.handler)
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.answer().status == 100)
            try client.send("abc")
            #expect(try client.answer().body == "3")
            try server.stop()
        }

        @Test func `Expect 100-continue over the limit gets 413 and no 100`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 2), handler: Self.handler)
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.answer().status == 413)
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `all bodies together have a limit, and room again when one is answered`() throws {
            var configuration = HTTPServerConfiguration.make(maximumBodyBytes: 100_000)
            configuration.maximumBodyBytesInAll = 150_000
            let server = try ServerThread(configuration) { exchange, desk in desk.waiting.append(exchange) }
            func post(_ client: Client) throws {
                try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
                try client.send([UInt8](repeating: 65, count: 100_000))
            }
            let (first, second, third) = (try Client(server), try Client(server), try Client(server))
            try post(first)
            try server.wait { _, desk in desk.waiting.count == 1 }
            try post(second)
            let refusal = try second.answer()
            #expect(refusal.status == 503)
            #expect(refusal.headers["retry-after"] == "1")
            try server.perform { _, desk in desk.waiting[0].respond(.make("taken")) }
            #expect(try first.answer().body == "taken")
            try server.wait { server, _ in server.openConnections < 3 }
            try post(third)
            try server.wait { _, desk in desk.waiting.count == 2 }
            try server.perform { _, desk in desk.waiting[1].respond(.make("taken too")) }
            #expect(try third.answer().body == "taken too")
            try server.stop()
        }

        @Test(arguments: [true, false])
        func `no more of a body is kept than its limit`(isChunked: Bool) async {
            // In a process of its own, whose memory is looked at.
            if isChunked {
                await #expect(processExitsWith: .success) { try BodyTests.sendTooMuch("Transfer-Encoding: chunked") }
            } else {
                await #expect(processExitsWith: .success) { try BodyTests.sendTooMuch("Content-Length: 100000000") }
            }
        }

        private static func sendTooMuch(_ header: String) throws {
            let server = try ServerThread(.make(maximumBodyBytes: 64 << 20), handler: Self.handler)
            let small = try ServerThread(.make(maximumBodyBytes: 1 << 20), handler: Self.handler)
            let piece = Array("100000\r\n".utf8) + [UInt8](repeating: 65, count: 1 << 20) + Array("\r\n".utf8)
            func send(_ server: ServerThread, _ pieces: Int, end: Bool) throws -> Int {
                let before = try memory()
                let client = try Client(server)
                try client.send("POST / HTTP/1.1\r\nHost: a\r\n\(header)\r\n\r\n")
                for _ in 0..<pieces where (try? client.send(piece)) == nil { break }
                if end { try client.send("0\r\n\r\n") }
                _ = try client.answer()
                return try memory() - before
            }
            #expect(try send(small, 32, end: false) < 8 << 20)
            // That memory is what shows it: a body within its limit is kept.
            if header.hasPrefix("T") { #expect(try send(server, 48, end: true) > 32 << 20) }
            try server.stop()
            try small.stop()
        }

        /// The most memory that this process has had: since its exec, while getrusage(2) counts what was before it too.
        private static func memory() throws -> Int {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) << 10
        }

        @Test func `a body that ends early never reaches the handler`() throws {
            let server = try ServerThread { exchange, desk in desk.waiting.append(exchange) }
            let client = try Client(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            client.finishSending()
            #expect(try client.isClosed())
            #expect(try server.perform { _, desk in desk.waiting.count } == 0)
            try server.stop()
        }
    }
}
