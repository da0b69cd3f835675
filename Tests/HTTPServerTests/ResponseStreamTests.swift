import Glibc
import HTTPServer
import Synchronization
import TestSupport
import Testing

extension ServerTests {
    /// Tests of bodies that are produced while they are sent.
    @Suite struct ResponseStreamTests {
        /// The parts of a stream and the number of its ends.
        ///
        /// Its bytes are the letter x.
        private final class Source: Sendable {
            enum Part {
                case bytes(Int)
                case end
                case failure
            }

            private let parts: Mutex<[Part]>
            private let ends = Mutex(0)

            init(_ parts: Part...) { self.parts = Mutex(parts) }

            var endCount: Int { ends.withLock { $0 } }

            func add(_ part: Part) { parts.withLock { $0.append(part) } }

            func countEnd() { ends.withLock { $0 += 1 } }

            func read(_ buffer: UnsafeMutableRawBufferPointer) -> ResponseStream.Part {
                let capacity = buffer.count
                let part: ResponseStream.Part = parts.withLock { parts in
                    guard let first = parts.first else { return .nothingYet }
                    switch first {
                    case .end: return .end
                    case .failure: return .failure
                    case .bytes(let count) where count <= capacity:
                        parts.removeFirst()
                        return .bytes(count)
                    case .bytes(let count):
                        parts[0] = .bytes(count - capacity)
                        return .bytes(capacity)
                    }
                }
                if case .bytes(let count) = part { for index in 0..<count { buffer[index] = UInt8(ascii: "x") } }
                return part
            }
        }

        /// Starts a server that responds with a stream, which it also keeps in its fixture.
        private func server(
            _ source: Source,
            _ configuration: HTTPServerConfiguration = HTTPServerConfiguration()
        ) throws -> ServerThread {
            try ServerThread(configuration) { exchange, fixture in
                if exchange.request.path == "/endless" {
                    let endless = ResponseStream { .bytes($0.initializeMemory(as: UInt8.self, repeating: 0x78).count) }
                    return exchange.respond(Response(status: 200), streaming: endless)
                }
                guard exchange.request.path == "/stream" else { return exchange.respond(.make("hello")) }
                let stream = ResponseStream { source.read($0) }
                stream.onEnd = { source.countEnd() }
                fixture.streams.append(stream)
                let head = Response(status: 200, headers: [HeaderField("Content-Type", "text/plain")])
                exchange.respond(head, streaming: stream)
            }
        }

        private func add(_ parts: Source.Part..., to source: Source, on server: ServerThread) throws {
            for part in parts { source.add(part) }
            try server.perform { _, fixture in for stream in fixture.streams { stream.wake() } }
        }

        @Test func `a stream is sent in pieces, and the connection is kept`() throws {
            let source = Source()
            let server = try server(source)
            let client = try HTTPClient(server)
            try client.get("/stream")
            // The head arrives before the first byte of the body.
            #expect(try client.head().headers["transfer-encoding"] == "chunked")
            for count in [1, 5, 100_000] {
                try add(.bytes(count), to: source, on: server)
                var received = 0
                while received < count { received += try #require(try client.chunk()).count }
            }
            #expect(source.endCount == 0)
            try add(.end, to: source, on: server)
            #expect(try client.chunk() == nil)
            try server.wait { _, _ in source.endCount == 1 }
            try client.get("/")
            #expect(try client.response().text == "hello")
            try server.stop()
            #expect(source.endCount == 1)
        }

        @Test func `a stream that fails ends without its last chunk`() throws {
            let source = Source(.bytes(3), .failure)
            let server = try server(source)
            let client = try HTTPClient(server)
            try client.get("/stream")
            let text = try client.textUntilClose()
            #expect(text.hasSuffix("3\r\nxxx\r\n"))
            try server.wait { server, _ in source.endCount == 1 && server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a client that hangs up while there is nothing to send is noticed once`() throws {
            let source = Source()
            let server = try server(source)
            var client: HTTPClient? = try HTTPClient(server)
            try client?.get("/stream")
            _ = try client?.head()
            client = nil
            try server.wait { server, _ in source.endCount == 1 && server.openConnections == 0 }
            try server.perform { _, fixture in
                #expect(!fixture.streams[0].isOpen)
                fixture.streams[0].wake()
            }
            try server.stop()
            #expect(source.endCount == 1)
        }

        @Test func `a client that closed its sending side gets all available bytes`() throws {
            let source = Source(.bytes(500_000), .end)
            let server = try server(source)
            let client = try HTTPClient(server)
            try client.get("/stream")
            client.finishSending()
            #expect(try client.textUntilClose().hasSuffix("\r\n0\r\n\r\n"))
            try server.stop()
        }

        @Test func `a server stops with waiting and flowing streams`() throws {
            let source = Source()
            let server = try server(source)
            let clients = try (0..<10).map { _ in try HTTPClient(server) }
            for client in clients { try client.get("/stream") }
            for client in clients { _ = try client.head() }
            let flowing = try HTTPClient(server)
            try flowing.get("/endless")
            _ = try flowing.head()
            try server.stop()
            #expect(source.endCount == 10)
            for client in clients { #expect(try client.textUntilClose().isEmpty) }
        }

        @Test func `the timeout counts time in which the client takes nothing, and not time with nothing to send`()
            throws
        {
            var configuration = HTTPServerConfiguration()
            configuration.sendTimeout = .milliseconds(200)
            let source = Source()
            let server = try server(source, configuration)
            let (waiting, stuck) = (try HTTPClient(server), try HTTPClient(server))
            try waiting.get("/stream")
            _ = try waiting.head()
            // The server sends nothing to the first client until it has reset the second, which does not read.
            try stuck.get("/endless")
            try server.wait { server, _ in server.openConnections == 1 }
            try add(.bytes(2), .end, to: source, on: server)
            #expect(try waiting.chunk()?.count == 2)
            #expect(try waiting.chunk() == nil)
            try server.stop()
        }

        @Test func `the record has the sent bytes of a stream`() throws {
            let records = CompletionRecorder()
            var configuration = HTTPServerConfiguration()
            configuration.onCompletion = { records.add($0) }
            let source = Source(.bytes(70_000), .bytes(5), .end)
            let server = try server(source, configuration)
            let client = try HTTPClient(server)
            try client.get("/stream")
            _ = try client.head()
            while try client.chunk() != nil {}
            try server.wait { _, _ in !records.all.isEmpty }
            #expect(records.all[0].bodyBytes == 70_005)
            #expect(records.all[0].isSent)
            try server.stop()
        }
    }
}
