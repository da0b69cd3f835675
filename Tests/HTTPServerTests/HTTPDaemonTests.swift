import Glibc
import HTTPServer
import System
import TestSupport
import Testing

extension ServerTests {
    @Suite struct HTTPDaemonTests {
        private static func descriptors() -> Set<Int32> {
            Set((0..<1_024).filter { fcntl($0, F_GETFD) >= 0 })
        }

        private static func sockets(_ descriptors: Set<Int32>) -> Set<Int32> {
            descriptors.filter { descriptor in
                var type: Int32 = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) == 0
            }
        }

        @Test func `port 0 takes a free port and shows its number`() throws {
            let (first, second) = (try ServerThread(), try ServerThread())
            #expect(first.port != 0)
            #expect(first.port != second.port)
            #expect(first.address == "127.0.0.1")
            try first.stop()
            try second.stop()
        }

        @Test func `IPv6 literals and localhost are addresses`() throws {
            let six = try ServerThread(HTTPServerConfiguration(address: "::1"))
            #expect(six.address == "::1")
            try six.stop()
            let name = try ServerThread(HTTPServerConfiguration(address: "localhost"))
            #expect(name.address == "127.0.0.1")
            try name.stop()
        }

        @Test func `an address in use is an error with that reason`() throws {
            let server = try ServerThread()
            let error = #expect(throws: HTTPServerError.self) {
                try ServerThread(HTTPServerConfiguration(port: server.port))
            }
            #expect(error?.errno == EADDRINUSE)
            #expect(error?.description == "cannot bind to 127.0.0.1:\(server.port): Address already in use")
            try server.stop()
        }

        @Test func `a name is not an address`() throws {
            #expect(throws: HTTPServerError(operation: .parseAddress, subject: "example.org", errno: 0)) {
                try ServerThread(HTTPServerConfiguration(address: "example.org"))
            }
        }

        @Test func `stop closes waiting connections`() throws {
            let server = try ServerThread { exchange, fixture in fixture.waiting.append(exchange) }
            let clients = try (0..<5).map { _ in try HTTPClient(server) }
            for client in clients { try client.get("/") }
            try server.wait { _, fixture in fixture.waiting.count == 5 }
            try server.stop()
            for client in clients { #expect(try client.isClosed()) }
        }

        @Test func `a handler may stop the server`() throws {
            let server = try ServerThread { exchange, fixture in fixture.waiting.append(exchange) }
            let client = try HTTPClient(server)
            try client.get("/")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            try server.perform { server, fixture in
                let (exchange, stopped) = (fixture.waiting[0], server)
                exchange.onDisconnect = { stopped.stop() }
            }
            client.finishSending()
            #expect(try client.isClosed())
            #expect(try server.perform { server, _ in server.openConnections } == 0)
            try server.stop()
        }

        @Test func `stopAccepting keeps open connections`() throws {
            let server = try ServerThread()
            let client = try HTTPClient(server)
            try client.get("/")
            _ = try client.response()
            try server.perform { server, _ in server.stopAccepting() }
            #expect(throws: SystemError("connect", number: ECONNREFUSED)) { try HTTPClient(server) }
            try client.get("/")
            #expect(try client.response().text == "hello")
            try server.stop()
        }

        @Test func `an idle connection is closed in time`() throws {
            var configuration = HTTPServerConfiguration()
            configuration.idleTimeout = .milliseconds(200)
            let server = try ServerThread(configuration)
            let client = try HTTPClient(server)
            try client.get("/")
            _ = try client.response()
            #expect(try client.isClosed())
            try server.stop()
        }

        @Test func `a closed connection no longer counts for the limit`() throws {
            var configuration = HTTPServerConfiguration()
            configuration.maximumConnections = 1
            let server = try ServerThread(configuration)
            var first: HTTPClient? = try HTTPClient(server)
            try first?.get("/")
            _ = try first?.response()
            first = nil
            try server.wait { server, _ in server.openConnections == 0 }
            let second = try HTTPClient(server)
            try second.get("/")
            #expect(try second.response().text == "hello")
            try server.stop()
        }

        @Test func `no socket stays open`() async {
            // The test runs in its own process, because other tests open and close descriptors at the same time.
            await #expect(processExitsWith: .success) { try HTTPDaemonTests.closeEverything() }
        }

        private static func closeEverything() throws {
            let before = Self.descriptors()
            do {
                let server = try ServerThread { exchange, fixture in
                    guard exchange.request.path != "/wait" else { return fixture.waiting.append(exchange) }
                    exchange.respond(.make("x"))
                }
                let clients = try (0..<30).map { _ in try HTTPClient(server) }
                for (index, client) in clients.enumerated() { try client.get(index % 2 == 0 ? "/" : "/wait") }
                try server.wait { _, fixture in fixture.waiting.count == 15 }
                try server.perform { server, _ in server.stopAccepting() }
                try server.stop()
            }
            #expect(throws: HTTPServerError.self) { try ServerThread(HTTPServerConfiguration(address: "192.0.2.1")) }
            // Only sockets are compared. The test library opens and closes other descriptors.
            #expect(Self.sockets(Self.descriptors()) == Self.sockets(before))
        }

        @Test func `every descriptor is close-on-exec`() throws {
            let before = Self.descriptors()
            let server = try ServerThread { exchange, fixture in fixture.waiting.append(exchange) }
            let client = try HTTPClient(server)
            try client.get("/")
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            // Some descriptors of the test runner are not close-on-exec. Only the new ones count.
            let opened = Self.descriptors().subtracting(before)
            #expect(opened.count >= 5)
            for descriptor in opened { #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0) }
            try server.stop()
        }
    }
}
