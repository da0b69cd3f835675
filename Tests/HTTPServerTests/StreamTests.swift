import Glibc
import HTTPServer
import Synchronization
import Testing

extension ServerTests {
    /// Bodies that are made while they are sent.
    @Suite struct StreamTests {
        /// What a stream gives, and how often it ended; bytes are so many times the letter x.
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
                let room = buffer.count
                let part: ResponseStream.Part = parts.withLock { parts in
                    guard let first = parts.first else { return .nothingYet }
                    switch first {
                    case .end: return .end
                    case .failure: return .failure
                    case .bytes(let count) where count <= room:
                        parts.removeFirst()
                        return .bytes(count)
                    case .bytes(let count):
                        parts[0] = .bytes(count - room)
                        return .bytes(room)
                    }
                }
                if case .bytes(let count) = part { for index in 0..<count { buffer[index] = UInt8(ascii: "x") } }
                return part
            }
        }

        /// A server that answers with a stream, which it also keeps on its desk.
        private func server(
            _ source: Source,
            _ configuration: HTTPServerConfiguration = HTTPServerConfiguration()
        ) throws -> ServerThread {
            try ServerThread(configuration) { exchange, desk in
                if exchange.request.path == "/endless" {
                    let endless = ResponseStream { .bytes($0.initializeMemory(as: UInt8.self, repeating: 0x78).count) }
                    return exchange.respond(Response(status: 200), streaming: endless)
                }
                guard exchange.request.path == "/stream" else { return exchange.respond(.make("hello")) }
                let stream = ResponseStream { source.read($0) }
                stream.onEnd = { source.countEnd() }
                desk.streams.append(stream)
                let head = Response(status: 200, headers: [HeaderField("Content-Type", "text/plain")])
                exchange.respond(head, streaming: stream)
            }
        }

        private func add(_ parts: Source.Part..., to source: Source, on server: ServerThread) throws {
            for part in parts { source.add(part) }
            try server.perform { _, desk in for stream in desk.streams { stream.wake() } }
        }

        @Test func `a stream is sent piece by piece, and the connection is kept`() throws {
            let source = Source()
            let server = try server(source)
            let client = try Client(server)
            try client.get("/stream")
            // The head comes before the first byte of the body.
            #expect(try client.head().contains("Transfer-Encoding: chunked"))
            for count in [1, 5, 100_000] {
                try add(.bytes(count), to: source, on: server)
                var got = 0
                while got < count { got += try client.chunk() }
            }
            #expect(source.endCount == 0)
            try add(.end, to: source, on: server)
            #expect(try client.chunk() == 0)
            try server.wait { _, _ in source.endCount == 1 }
            try client.get("/")
            #expect(try client.answer().body == "hello")
            try server.stop()
            #expect(source.endCount == 1)
        }

        @Test func `a stream that fails is cut`() throws {
            let source = Source(.bytes(3), .failure)
            let server = try server(source)
            let client = try Client(server)
            try client.get("/stream")
            let text = try client.textToTheEnd()
            #expect(text.hasSuffix("3\r\nxxx\r\n"))
            try server.wait { server, _ in source.endCount == 1 && server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a client that hangs up while there is nothing is noticed once`() throws {
            let source = Source()
            let server = try server(source)
            var client: Client? = try Client(server)
            try client?.get("/stream")
            _ = try client?.head()
            client = nil
            try server.wait { server, _ in source.endCount == 1 && server.openConnections == 0 }
            try server.perform { _, desk in
                #expect(!desk.streams[0].isOpen)
                desk.streams[0].wake()
            }
            try server.stop()
            #expect(source.endCount == 1)
        }

        @Test func `a client that closed its sending side gets what there is`() throws {
            let source = Source(.bytes(500_000), .end)
            let server = try server(source)
            let client = try Client(server)
            try client.get("/stream")
            client.finishSending()
            #expect(try client.textToTheEnd().hasSuffix("\r\n0\r\n\r\n"))
            try server.stop()
        }

        @Test func `a server is stopped with streams that wait and streams that flow`() throws {
            let source = Source()
            let server = try server(source)
            let clients = try (0..<10).map { _ in try Client(server) }
            for client in clients { try client.get("/stream") }
            for client in clients { _ = try client.head() }
            let flowing = try Client(server)
            try flowing.get("/endless")
            _ = try flowing.head()
            try server.stop()
            #expect(source.endCount == 10)
            for client in clients { #expect(try client.textToTheEnd().isEmpty) }
        }

        @Test func `time without anything to send does not count, and time in which nothing is taken does`() throws {
            var configuration = HTTPServerConfiguration()
            configuration.sendTimeout = .milliseconds(200)
            let source = Source()
            let server = try server(source, configuration)
            let (waiting, stuck) = (try Client(server), try Client(server))
            try waiting.get("/stream")
            _ = try waiting.head()
            // As long as it takes to give up the second, which does not read, nothing is sent to the first.
            try stuck.get("/endless")
            try server.wait { server, _ in server.openConnections == 1 }
            try add(.bytes(2), .end, to: source, on: server)
            #expect(try waiting.chunk() == 2)
            #expect(try waiting.chunk() == 0)
            try server.stop()
        }

        @Test func `what was sent of a stream is told`() throws {
            let told = Told()
            var configuration = HTTPServerConfiguration()
            configuration.onCompletion = { told.add($0) }
            let source = Source(.bytes(70_000), .bytes(5), .end)
            let server = try server(source, configuration)
            let client = try Client(server)
            try client.get("/stream")
            _ = try client.head()
            while try client.chunk() > 0 {}
            try server.wait { _, _ in !told.all.isEmpty }
            #expect(told.all[0].bodyBytes == 70_005)
            #expect(told.all[0].isWhole)
            try server.stop()
        }
    }
}
