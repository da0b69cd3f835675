import Foundation
import Glibc
import Testing

/// Tokens, TLS, addresses and malicious servers: trust between a client and a server.
struct ClientTrustTests {
    // MARK: Tokens

    @Test func `a token comes from a file or from the environment`() throws {
        let tokens = try TokenDirectory()
        let token = try tokens.add("me")
        let directory = try TemporaryDirectory()
        try directory.write("token", token + "\n", mode: 0o600)
        try directory.write("wrong", "sandglass_0123", mode: 0o600)
        try directory.write("two", "a b\n", mode: 0o600)
        try directory.write("open", token, mode: 0o666)
        try withServer("--tokens", tokens.path) { server in
            let file = ["--token-file", directory.path + "/token"]
            #expect(try ClientProgram.submit("echo a", to: server.url, file).text == "a\n")
            let variables = ["SANDGLASS_TOKEN": token]
            #expect(try ClientProgram.submit("echo b", to: server.url, environment: variables).text == "b\n")
            let named = ["SANDGLASS_TOKEN_FILE": directory.path + "/token"]
            #expect(try ClientProgram.run("list", at: server.url, environment: named).end == .exited(0))
            for options in [[], ["--token-file", directory.path + "/wrong"]] {
                let refused = try ClientProgram.submit("true", to: server.url, options)
                #expect(refused.end == .exited(125))
                #expect(refused.diagnostics.contains("401") && refused.diagnostics.contains("--token-file"))
            }
            // The option overrides the variable.
            let over = try ClientProgram.submit(
                "true",
                to: server.url,
                ["--token-file", directory.path + "/wrong"],
                environment: variables
            )
            #expect(over.end == .exited(125))
            for (name, message) in [
                ("two", "There is no token in"), ("open", "it is world-writable"), ("none", "No such file"),
            ] {
                let unusable = try ClientProgram.submit(
                    "true",
                    to: server.url,
                    ["--token-file", directory.path + "/\(name)"]
                )
                #expect(unusable.end == .exited(125))
                #expect(unusable.diagnostics.contains(message), "\(unusable.diagnostics)")
                #expect(!unusable.diagnostics.contains(token))
            }
        }
    }

    @Test func `a redirect is not followed, so its target does not get the token`() throws {
        let other = try FakeServer { _ in FakeServer.json("201 Created", [], FakeRun.finished) }
        let server = try FakeServer { [url = other.url] _ in
            FakeServer.response("307 Temporary Redirect", ["Location: \(url)/runs"], [])
        }
        let finished = try ClientProgram.submit("true", to: server.url, environment: ["SANDGLASS_TOKEN": "secret"])
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("redirect to \(other.url)/runs"))
    }

    // MARK: TLS

    @Test(.needs("openssl")) func `a TLS server is trusted only with its authority's certificate`() throws {
        let directory = try TemporaryDirectory()
        let (certificate, key) = try directory.makeCertificate()
        let server = try ServerProcess(["--tls-certificate", certificate, "--tls-key", key], scheme: "https")
        let url = "https://localhost:\(server.port)"
        let finished = try ClientProgram.submit("seq 100000", to: url, ["--ca-file", certificate])
        #expect(finished.end == .exited(0), "\(finished.diagnostics)")
        #expect(finished.text == (1...100_000).map { "\($0)\n" }.joined())
        let refused = try ClientProgram.submit("true", to: url)
        #expect(refused.end == .exited(125))
        #expect(refused.diagnostics.contains("is not trusted") && refused.diagnostics.contains("--ca-file"))
        try server.stop()
    }

    // MARK: Addresses

    @Test func `a server address may contain a path`() throws {
        let server = try FakeServer { request in
            switch request.line {
            case "POST /some/where/runs": FakeServer.json("201 Created", [], FakeRun.finished)
            case "GET /some/where/runs/\(FakeRun.id)/events":
                FakeServer.response("200 OK", [], FakeRun.endEvent(FakeRun.finished))
            default: FakeServer.response("404 Not Found", [], [])
            }
        }
        #expect(try ClientProgram.submit("true", to: server.url + "/some/where/").end == .exited(0))
        let wrong = try ClientProgram.submit("true", to: server.url)
        #expect(wrong.end == .exited(125))
        #expect(wrong.diagnostics.contains("Is this the address of a Sandglass server?"))
    }

    // MARK: Malicious and newer servers

    @Test func `control characters from a server do not reach the terminal`() throws {
        let escape = "\u{1b}[2J\u{7}\u{9b}31m\r\n\u{202e}"
        let server = try FakeServer { request in
            switch request.line {
            case "POST /runs":
                FakeServer.response(
                    "422 Unprocessable Content",
                    ["Content-Type: application/problem+json"],
                    Array(
                        (try? JSONSerialization.data(withJSONObject: [
                            "title": escape, "detail": escape, "errors": [["pointer": escape, "detail": escape]],
                        ])) ?? Data()
                    )
                )
            default:
                FakeServer.json(
                    "200 OK",
                    [],
                    request.line.hasPrefix("GET /runs?")
                        ? ["runs": [Self.hostile(escape)], "next": NSNull()] : Self.hostile(escape)
                )
            }
        }
        for arguments in [["status", FakeRun.id], ["list"]] {
            let finished = try ClientProgram.run(arguments[0], at: server.url, Array(arguments.dropFirst()))
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            #expect(Self.isHarmless(finished.output), "\(finished.text)")
            #expect(finished.text.contains("\\u{1b}[2J"))
        }
        let refused = try ClientProgram.submit("true", to: server.url)
        #expect(refused.end == .exited(125))
        #expect(Self.isHarmless(refused.error), "\(refused.diagnostics)")
        #expect(refused.diagnostics.contains("\\u{1b}[2J"))
    }

    private static func hostile(_ text: String) -> [String: Any] {
        [
            "id": FakeRun.id, "state": text, "outcome": text, "command": [text], "labels": [text: text],
            "createdAt": text, "error": ["step": text, "errno": text, "detail": text],
        ]
    }

    /// Returns true if the only control characters are newlines.
    private static func isHarmless(_ bytes: [UInt8]) -> Bool {
        String(decoding: bytes, as: UTF8.self).unicodeScalars.allSatisfy { scalar in
            scalar == "\n" || !(scalar.properties.generalCategory == .control || scalar.properties.isBidiControl)
        }
    }

    @Test func `an unknown outcome of a newer server is named and exits with 125`() throws {
        let server = try FakeServer { request in
            let run = FakeRun.finished.merging(["outcome": "evaporated"]) { _, own in own }
            return request.line == "POST /runs"
                ? FakeServer.json("201 Created", [], run) : FakeServer.response("200 OK", [], FakeRun.endEvent(run))
        }
        let finished = try ClientProgram.submit("true", to: server.url)
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("evaporated"))
    }

    @Test(arguments: ["", "<html>", "{}", "[]", #"{"id": "x", "state": "finished"}"#])
    func `a response that is not a run exits with 125`(body: String) throws {
        let server = try FakeServer { _ in FakeServer.response("200 OK", [], Array(body.utf8)) }
        let finished = try ClientProgram.submit("true", to: server.url)
        #expect(finished.end == .exited(125))
        #expect(!finished.error.isEmpty)
    }
}
