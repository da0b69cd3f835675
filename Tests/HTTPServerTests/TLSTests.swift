import Foundation
import Glibc
import HTTPServer
import TestSupport
import Testing

extension ServerTests {
    /// Tests of deferred responses, refusals, files and many connections over TLS, with clients that use OpenSSL.
    @Suite struct TLSTests {
        private let certificate: Certificate

        init() throws { certificate = try Certificate() }

        private func configuration(
            _ change: (inout HTTPServerConfiguration) -> Void = { _ in }
        ) -> HTTPServerConfiguration {
            var configuration = HTTPServerConfiguration()
            configuration.tls = certificate.identity
            configuration.problem = { status, detail in .make("\(status): \(detail)", status: status) }
            change(&configuration)
            return configuration
        }

        private func curl(_ server: ServerThread, _ path: String = "/", _ arguments: [String] = []) throws -> Program {
            let common = ["-q", "--silent", "--show-error", "--max-time", "20", "--cacert", certificate.path]
            return try Program("curl", common + arguments + ["https://127.0.0.1:\(server.port)\(path)"])
        }

        @Test func `a request gets a response`() throws {
            let server = try ServerThread(configuration())
            let response = try curl(server, "/", ["--write-out", " %{http_code} %{ssl_verify_result}"]).finish()
            #expect(response.text == "hello 200 0")
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a response may be deferred`() throws {
            let server = try ServerThread(configuration()) { exchange, fixture in fixture.waiting.append(exchange) }
            let client = try curl(server)
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            try server.perform { _, fixture in fixture.waiting[0].respond(.make("late")) }
            #expect(try client.finish().text == "late")
            try server.stop()
        }

        @Test func `a client that hangs up while it waits is noticed`() throws {
            let server = try ServerThread(configuration()) { exchange, fixture in
                exchange.onDisconnect = { fixture.waiting = [] }
                fixture.waiting.append(exchange)
            }
            let client = try curl(server)
            try server.wait { _, fixture in fixture.waiting.count == 1 }
            client.kill()
            try server.wait { server, fixture in fixture.waiting.isEmpty && server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a file arrives whole`() throws {
            let random = try #require(FileHandle(forReadingAtPath: "/dev/urandom"))
            let content = try #require(try random.read(upToCount: 8_000_000))
            let path = certificate.directory.appendingPathComponent("content")
            try content.write(to: path)
            let file = try OpenFile(path: path.path)
            let server = try ServerThread(configuration()) { exchange, _ in
                exchange.respond(Response(status: 200, body: .file(file, offset: 5, count: 7_000_000)))
            }
            let copy = certificate.directory.appendingPathComponent("copy")
            #expect(try curl(server, "/", ["--output", copy.path]).finish().status == 0)
            #expect(try Data(contentsOf: copy) == content.subdata(in: 5..<7_000_005))
            try server.stop()
        }

        @Test func `a body of several megabytes is accepted`() throws {
            let server = try ServerThread(configuration()) { exchange, _ in
                exchange.respond(.make("\(exchange.request.body.count)"))
            }
            let path = certificate.directory.appendingPathComponent("body")
            try Data(repeating: 65, count: 5_000_000).write(to: path)
            let client = try curl(server, "/", ["--data-binary", "@\(path.path)"])
            #expect(try client.finish().text == "5000000")
            try server.stop()
        }

        @Test func `a hundred concurrent connections get a response`() throws {
            let server = try ServerThread(configuration()) { exchange, fixture in
                fixture.waiting.append(exchange)
                // All together, when the last request has arrived.
                if fixture.waiting.count == 100 { for waiting in fixture.waiting { waiting.respond(.make("x")) } }
            }
            let client = try curl(server, "/[1-100]", ["--parallel", "--parallel-max", "100", "--parallel-immediate"])
            #expect(try client.finish().text == String(repeating: "x", count: 100))
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test(arguments: [
            (["-H", "Content-Length: 1", "-H", "Transfer-Encoding: chunked", "-d", "a"], 400),
            (["-H", "X-A\u{1}: b"], 400), (["-H", "Expect: x", "-d", "a"], 417),
            (["--request-target", "/%zz"], 400),
            (["-H", "Content-Type: a", "-H", "Content-Length: 5000000", "-d", "a"], 413),
        ])
        func `a refused request gets the reason`(arguments: [String], status: Int) throws {
            let server = try ServerThread(configuration { $0.maximumBodyBytes = 1_000_000 })
            let response = try curl(server, "/", arguments).finish()
            #expect(response.text.hasPrefix("\(status): "))
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test(arguments: [[], ["-H", "Transfer-Encoding: chunked"]])
        func `a body over the limit gets 413`(arguments: [String]) throws {
            let server = try ServerThread(configuration { $0.maximumBodyBytes = 1_000_000 })
            let path = certificate.directory.appendingPathComponent("body")
            try Data(repeating: 65, count: 1_500_000).write(to: path)
            let client = try curl(server, "/", ["-H", "Expect:", "--data-binary", "@\(path.path)"] + arguments)
            #expect(try client.finish().text.hasPrefix("413: "))
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a line that the library refuses gets our error page`() throws {
            let server = try ServerThread(configuration())
            let input = Pipe()
            let client = try Program(
                "openssl",
                ["s_client", "-quiet", "-ign_eof", "-connect", "127.0.0.1:\(server.port)"],
                input: input.fileHandleForReading
            )
            input.fileHandleForWriting.write(Data("GET / HTTP/1.1\r\nHost: a\r\nnone\r\n\r\n".utf8))
            let response = try client.finish().text
            #expect(response.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(response.hasSuffix("400: The request head is malformed."))
            #expect(response.components(separatedBy: "HTTP/1.1").count == 2)
            try server.stop()
        }

        @Test(arguments: [("-tls1_2", true), ("-tls1_3", true), ("-tls1_1", false), ("-tls1", false)])
        func `versions before 1,2 are refused`(version: String, isAccepted: Bool) throws {
            let server = try ServerThread(configuration())
            let ciphers = isAccepted ? [] : ["-cipher", "ALL:@SECLEVEL=0"]
            let client = try Program(
                "openssl",
                ["s_client", version, "-connect", "127.0.0.1:\(server.port)"] + ciphers
            )
            #expect(try client.finish().status == (isAccepted ? 0 : 1))
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test(arguments: ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"])
        func `ciphers without forward secrecy or with CBC are refused`(cipher: String) throws {
            let server = try ServerThread(configuration())
            let client = try Program(
                "openssl",
                ["s_client", "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0", "-connect", "127.0.0.1:\(server.port)"]
            )
            #expect(try client.finish().status == 1)
            try server.stop()
        }

        @Test func `a connection in clear text is closed without a response`() throws {
            let server = try ServerThread(configuration())
            let client = try HTTPClient(server)
            try client.get("/")
            // The server may send a TLS alert (RFC 8446, 6), but no HTTP.
            #expect(try !client.textUntilClose().contains("HTTP"))
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `a handshake that does not end is closed in time`() throws {
            let server = try ServerThread(configuration { $0.headTimeout = .milliseconds(200) })
            let clients = [try HTTPClient(server), try HTTPClient(server)]
            try clients[1].send([0x16, 3, 1])
            for client in clients { #expect(try client.isClosed()) }
            try server.wait { server, _ in server.openConnections == 0 }
            try server.stop()
        }

        @Test func `one connection too many is closed`() throws {
            let server = try ServerThread(configuration { $0.maximumConnections = 1 })
            let first = try HTTPClient(server)
            try server.wait { server, _ in server.openConnections == 1 }
            #expect(try HTTPClient(server).isClosed())
            withExtendedLifetime(first) {}
            try server.stop()
        }

        @Test func `an invalid certificate, an invalid key and a key of another certificate are errors at the start`()
            throws
        {
            let (own, other) = (certificate.identity, try Certificate().identity)
            let bad = [
                TLSIdentity(certificateChain: [], privateKey: own.privateKey),
                TLSIdentity(certificateChain: own.certificateChain, privateKey: []),
                TLSIdentity(certificateChain: Array("none".utf8), privateKey: own.privateKey),
                TLSIdentity(certificateChain: own.certificateChain, privateKey: Array("none".utf8)),
                TLSIdentity(certificateChain: own.certificateChain, privateKey: other.privateKey),
                TLSIdentity(certificateChain: own.privateKey, privateKey: own.certificateChain),
            ]
            for identity in bad {
                var configuration = HTTPServerConfiguration()
                configuration.tls = identity
                let error = #expect(throws: HTTPServerError.self) { try ServerThread(configuration) }
                #expect(error?.operation == .useIdentity)
                #expect(error?.description.hasPrefix("cannot use the certificate and the key for 127.0.0.1:") == true)
            }
        }
    }
}

/// A new self-signed certificate for this machine, with its key.
private final class Certificate {
    let directory: URL
    let identity: TLSIdentity

    /// The path of the certificate's file, for clients.
    var path: String { directory.appendingPathComponent("certificate.pem").path }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("sandglass-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let key = directory.appendingPathComponent("key.pem")
        let certificate = directory.appendingPathComponent("certificate.pem")
        let openssl = try Program(
            "openssl",
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
                + ["-keyout", key.path, "-out", certificate.path, "-subj", "/CN=localhost"]
                + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        ).finish()
        try #require(openssl.status == 0, "\(openssl.error)")
        identity = TLSIdentity(
            certificateChain: Array(try Data(contentsOf: certificate)),
            privateKey: Array(try Data(contentsOf: key))
        )
    }

    deinit { try? FileManager.default.removeItem(at: directory) }
}

/// A program that a test starts, such as a client with another TLS library.
private final class Program {
    private let process = Process()
    private let output = Pipe()
    private let error = Pipe()

    init(_ name: String, _ arguments: [String], input: FileHandle = .nullDevice) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [name] + arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = error
        try process.run()
    }

    deinit { kill() }

    /// Kills the program, whose kernel still closes its connections.
    func kill() {
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// Waits for the program to exit and returns its status and output.
    func finish() throws -> (status: Int32, output: Data, text: String, error: String) {
        let output = self.output.fileHandleForReading.readDataToEndOfFile()
        let errors = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, output, String(decoding: output, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }
}
