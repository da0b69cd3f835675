import Foundation
import Glibc
import HTTPServer
import System
import TestSupport
import Testing

extension ServerTests {
    @Suite struct BodyTests {
        private static let handler: ServerThread.Handler = { exchange, _ in
            exchange.respond(.make("\(exchange.request.body.count)"))
        }

        @Test func `a body of exactly the limit is accepted`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 1_000), handler: Self.handler)
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            try client.send([UInt8](repeating: 65, count: 1_000))
            #expect(try client.response().text == "1000")
            try server.stop()
        }

        @Test func `a Content-Length over the limit gets 413 before the body is sent`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 1_000), handler: Self.handler)
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
            let response = try client.response()
            #expect(response.status == 413)
            #expect(response.headers["connection"] == "close")
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a client that sends a whole body over the limit still reads 413`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 8 << 20), handler: Self.handler)
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(12 << 20)\r\n\r\n")
            try client.send([UInt8](repeating: 65, count: 12 << 20))
            #expect(try client.response().status == 413)
            try server.stop()
        }

        @Test func `a chunked body gets 413 when it exceeds the limit`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 1_000), handler: Self.handler)
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<3 { try client.send("1f4\r\n" + String(repeating: "x", count: 500) + "\r\n") }
            let response = try client.response()
            #expect(response.status == 413)
            #expect(response.headers["connection"] == "close")
            try client.send("0\r\n\r\n")
            #expect(try client.isClosed())
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `an endless chunked body is cut off`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 1_000), handler: Self.handler)
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 65, count: 65_536) + Array("\r\n".utf8)
            // The server reads one more megabyte and closes the connection. Sending then fails.
            #expect(throws: SystemError.self) {
                for _ in 0..<1_000 { try client.send(chunk) }
            }
            try server.stop()
        }

        @Test func `a chunked body is joined`() throws {
            let server = try ServerThread { exchange, _ in
                exchange.respond(.make(String(decoding: exchange.request.body, as: UTF8.self)))
            }
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n")
            try client.send("2;x=y\r\nde\r\n0\r\nTrailer: z\r\n\r\n")
            #expect(try client.response().text == "abcde")
            try client.get("/")
            #expect(try client.response().status == 200)
            try server.stop()
        }

        @Test func `Expect 100-continue gets 100 before the body`() throws {
            let server = try ServerThread(handler: Self.handler)
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.response().status == 100)
            try client.send("abc")
            #expect(try client.response().text == "3")
            try server.stop()
        }

        @Test func `Expect 100-continue over the limit gets 413 and no 100`() throws {
            let server = try ServerThread(.make(maximumBodyBytes: 2), handler: Self.handler)
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(try client.response().status == 413)
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `all bodies together have a limit, and a response frees the bytes of its request`() throws {
            var configuration = HTTPServerConfiguration.make(maximumBodyBytes: 100_000)
            configuration.maximumTotalBodyBytes = 150_000
            let server = try ServerThread(configuration) { exchange, fixture in fixture.waiting.append(exchange) }
            func post(_ client: HTTPClient) throws {
                try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
                try client.send([UInt8](repeating: 65, count: 100_000))
            }
            let (first, second, third) = (try HTTPClient(server), try HTTPClient(server), try HTTPClient(server))
            try post(first)
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            try post(second)
            let refusal = try second.response()
            #expect(refusal.status == 503)
            #expect(refusal.headers["retry-after"] == "1")
            try server.perform { _, fixture in fixture.waiting[0].respond(.make("accepted")) }
            #expect(try first.response().text == "accepted")
            try server.wait { server, _ in server.openConnections < 3 }
            try post(third)
            try server.wait { _, fixture in fixture.waiting.count == 2 }
            try server.perform { _, fixture in fixture.waiting[1].respond(.make("accepted too")) }
            #expect(try third.response().text == "accepted too")
            try server.stop()
        }

        @Test(arguments: [true, false])
        func `the caller that holds most of the memory for bodies gives way to another`(byPrincipal: Bool) throws {
            var configuration = HTTPServerConfiguration.make(maximumBodyBytes: 100_000)
            configuration.maximumTotalBodyBytes = 180_000
            let server = try ServerThread(configuration, handler: Self.handler) { exchange, _ in
                exchange.principal = byPrincipal ? exchange.request.path : ""
                return .buffer
            }
            func post(_ path: String, from address: String, bytes: Int) throws -> HTTPClient {
                let client = try HTTPClient(server, from: address)
                let expect = "Expect: 100-continue\r\n"
                try client.send("POST \(path) HTTP/1.1\r\nHost: a\r\n\(expect)Content-Length: 90000\r\n\r\n")
                #expect(try client.response().status == 100)
                try client.send([UInt8](repeating: 65, count: bytes))
                return client
            }
            // One address that has two principals, or one principal with two addresses.
            let other = byPrincipal ? "127.0.0.1" : "127.0.0.2"
            let stalled = try post("/first", from: "127.0.0.1", bytes: 80_000)
            try server.wait { server, _ in server.bodyBytes == 80_000 }
            let growing = try post("/first", from: "127.0.0.1", bytes: 80_000)
            try server.wait { server, _ in server.bodyBytes == 160_000 }
            let guest = try post("/second", from: other, bytes: 90_000)
            #expect(try guest.response().text == "90000")
            let refusal = try stalled.response()
            #expect(refusal.status == 503)
            #expect(refusal.headers["retry-after"] == "1")
            // The caller's other body has not had to give way.
            try growing.send([UInt8](repeating: 65, count: 10_000))
            #expect(try growing.response().text == "90000")
            try server.wait { server, _ in server.bodyBytes == 0 }
            try server.stop()
        }

        @Test(arguments: [true, false])
        func `the server keeps no more of a body than its limit`(isChunked: Bool) async {
            // The test runs in its own process, because it measures the process's memory.
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
                let client = try HTTPClient(server)
                try client.send("POST / HTTP/1.1\r\nHost: a\r\n\(header)\r\n\r\n")
                for _ in 0..<pieces where (try? client.send(piece)) == nil { break }
                if end { try client.send("0\r\n\r\n") }
                _ = try client.response()
                return try memory() - before
            }
            #expect(try send(small, 32, end: false) < 8 << 20)
            // The counterexample: a body within its limit is kept in memory.
            if header.hasPrefix("T") { #expect(try send(server, 48, end: true) > 32 << 20) }
            try server.stop()
            try small.stop()
        }

        /// Returns the peak memory of this process in bytes, counted from its exec.
        ///
        /// getrusage(2) also counts the time before.
        private static func memory() throws -> Int {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) << 10
        }

        @Test func `a body that ends early never reaches the handler`() throws {
            let server = try ServerThread { exchange, fixture in fixture.waiting.append(exchange) }
            let client = try HTTPClient(server)
            try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            client.finishSending()
            #expect(try client.isClosed())
            #expect(try server.perform { _, fixture in fixture.waiting.count } == 0)
            try server.stop()
        }
    }
}
