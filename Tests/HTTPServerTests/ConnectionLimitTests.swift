import Glibc
import HTTPServer
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
            let clients = [try Client(server), try Client(server)]
            try server.wait { server, _ in server.openConnections == 2 }
            let third = try Client(server)
            let answer = try third.answer()
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] == "1")
            #expect(answer.headers["connection"] == "close")
            #expect(answer.body == "503: There are too many connections.")
            #expect(try third.isClosed())
            for client in clients {
                try client.get("/")
                #expect(try client.answer().body == "hello")
            }
            try server.stop()
        }

        @Test func `a client over the limit reads its answer although it sends first`() throws {
            let server = try ServerThread(configuration(connections: 1))
            let first = try Client(server)
            try server.wait { server, _ in server.openConnections == 1 }
            for _ in 0..<20 {
                let client = try Client(server)
                try client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
                try client.send([UInt8](repeating: 65, count: 100_000))
                #expect(try client.answer().status == 503)
            }
            try first.get("/")
            #expect(try first.answer().status == 200)
            try server.stop()
        }

        @Test func `a flood over the limit holds up nobody and leaves nothing open`() throws {
            let server = try ServerThread(configuration(connections: 1))
            let first = try Client(server)
            try server.wait { server, _ in server.openConnections == 1 }
            // They neither read nor close.
            let flood = try (0..<300).map { _ in try Client(server) }
            try first.get("/")
            #expect(try first.answer().status == 200)
            #expect(try server.perform { server, _ in server.openConnections } == 1)
            // All but the last few have been let go already: what they were told is still to be read.
            for client in flood { #expect(try client.answer().status == 503) }
            try server.stop()
        }

        @Test func `an address has its own limit, which others do not feel`() throws {
            let server = try ServerThread(configuration(perAddress: 2))
            let clients = [try Client(server), try Client(server)]
            try server.wait { server, _ in server.openConnections == 2 }
            let third = try Client(server)
            let answer = try third.answer()
            #expect(answer.status == 429)
            #expect(answer.headers["retry-after"] == "1")
            #expect(answer.body == "429: There are too many connections from 127.0.0.1.")
            #expect(try third.isClosed())
            let neighbour = try Client(server, from: "127.0.0.2")
            try neighbour.get("/")
            #expect(try neighbour.answer().status == 200)
            _ = clients
            try server.stop()
        }

        @Test func `an address has its place again when its connection has ended`() throws {
            let server = try ServerThread(configuration(perAddress: 1))
            for _ in 0..<3 {
                let client = try Client(server)
                try client.get("/", headers: "Connection: close\r\n")
                #expect(try client.answer().status == 200)
                try server.wait { server, _ in server.openConnections == 0 }
            }
            try server.stop()
        }

        @Test func `without a free descriptor none is accepted, and later they are`() async {
            // In a process of its own: its limit on descriptors is changed.
            await #expect(processExitsWith: .success) {
                let server = try ServerThread()
                let client = try Client(server)
                try client.get("/")
                _ = try client.answer()
                let late = try Client(server)
                try server.wait { server, _ in server.openConnections == 2 }
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let before = limit.rlim_cur
                let another = try Client(server, connects: false)
                limit.rlim_cur = rlim_t(another.descriptor + 1)
                // Every number below is taken.
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
                try another.connect(to: server)
                try client.get("/")
                #expect(try client.answer().status == 200)
                #expect(try server.perform { server, _ in server.openConnections } == 2)
                limit.rlim_cur = before
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                for descriptor in taken { close(descriptor) }
                try another.get("/")
                #expect(try another.answer().status == 200)
                _ = late
                try server.stop()
            }
        }
    }
}
