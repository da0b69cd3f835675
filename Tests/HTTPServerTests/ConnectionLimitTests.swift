import Glibc
import HTTPServer
import TestSupport
import Testing

extension ServerTests {
    @Suite struct ConnectionLimitTests {
        private func configuration(connections: Int = 1_024, perAddress: Int = 0) -> HTTPServerConfiguration {
            var configuration = HTTPServerConfiguration()
            configuration.maximumConnections = connections
            configuration.maximumConnectionsPerAddress = perAddress
            configuration.problem = { status, detail in .make("\(status): \(detail)", status: status) }
            return configuration
        }

        @Test func `one connection too many gets 503 with Retry-After and is closed`() throws {
            let server = try ServerThread(configuration(connections: 2))
            let clients = [try HTTPClient(server), try HTTPClient(server)]
            try server.wait { server, _ in server.openConnections == 2 }
            let third = try HTTPClient(server)
            let response = try third.response()
            #expect(response.status == 503)
            #expect(response.headers["retry-after"] == "1")
            #expect(response.headers["connection"] == "close")
            #expect(response.text == "503: The server has reached its limit of 2 connections. Retry later.")
            #expect(try third.isClosed())
            for client in clients {
                try client.get("/")
                #expect(try client.response().text == "hello")
            }
            try server.stop()
        }

        @Test func `a client over the limit reads its response although it sends first`() throws {
            let server = try ServerThread(configuration(connections: 1))
            let first = try HTTPClient(server)
            try server.wait { server, _ in server.openConnections == 1 }
            for _ in 0..<20 {
                let client = try HTTPClient(server)
                try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
                try client.send([UInt8](repeating: 65, count: 100_000))
                #expect(try client.response().status == 503)
            }
            try first.get("/")
            #expect(try first.response().status == 200)
            try server.stop()
        }

        @Test func `a flood over the limit delays no other client and leaves nothing open`() throws {
            let server = try ServerThread(configuration(connections: 1))
            let first = try HTTPClient(server)
            try server.wait { server, _ in server.openConnections == 1 }
            // These clients neither read nor close.
            let flood = try (0..<300).map { _ in try HTTPClient(server) }
            try first.get("/")
            #expect(try first.response().status == 200)
            #expect(try server.perform { server, _ in server.openConnections } == 1)
            // The server has closed all but the last few connections. Their clients can still read the response.
            for client in flood { #expect(try client.response().status == 503) }
            try server.stop()
        }

        @Test func `the limit of an address does not affect other addresses`() throws {
            let server = try ServerThread(configuration(perAddress: 2))
            let clients = [try HTTPClient(server), try HTTPClient(server)]
            try server.wait { server, _ in server.openConnections == 2 }
            let third = try HTTPClient(server)
            let response = try third.response()
            #expect(response.status == 429)
            #expect(response.headers["retry-after"] == "1")
            #expect(response.text == "429: 127.0.0.1 has reached its limit of 2 connections. Close one and retry.")
            #expect(try third.isClosed())
            let neighbour = try HTTPClient(server, from: "127.0.0.2")
            try neighbour.get("/")
            #expect(try neighbour.response().status == 200)
            _ = clients
            try server.stop()
        }

        @Test func `a closed connection no longer counts for its address`() throws {
            let server = try ServerThread(configuration(perAddress: 1))
            for _ in 0..<3 {
                let client = try HTTPClient(server)
                try client.get("/", ["Connection: close"])
                #expect(try client.response().status == 200)
                try server.wait { server, _ in server.openConnections == 0 }
            }
            try server.stop()
        }

        @Test func `without a free descriptor the server accepts no connection, and later it does`() async {
            // The test runs in its own process, because it changes the limit on descriptors.
            await #expect(processExitsWith: .success) {
                let server = try ServerThread()
                let client = try HTTPClient(server)
                try client.get("/")
                _ = try client.response()
                let late = try HTTPClient(server)
                try server.wait { server, _ in server.openConnections == 2 }
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let before = limit.rlim_cur
                let another = try HTTPClient()
                limit.rlim_cur = rlim_t(another.descriptor + 1)
                // Use up every lower number.
                var taken: [Int32] = []
                while true {
                    let descriptor = dup(0)
                    guard descriptor >= 0, descriptor < limit.rlim_cur else {
                        if descriptor >= 0 { close(descriptor) }
                        break
                    }
                    taken.append(descriptor)
                }
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                try another.connect(to: server.port)
                try client.get("/")
                #expect(try client.response().status == 200)
                #expect(try server.perform { server, _ in server.openConnections } == 2)
                limit.rlim_cur = before
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                for descriptor in taken { close(descriptor) }
                try another.get("/")
                #expect(try another.response().status == 200)
                _ = late
                try server.stop()
            }
        }
    }
}
