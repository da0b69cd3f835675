import Foundation
import Glibc
import Testing

/// Whom a client trusts, and who trusts it.
struct ClientTrustTests {
    // MARK: Tokens

    @Test func `a token comes from a file or the environment, and without one the server is not asked twice`() throws {
        let tokens = try TokenFolder()
        let token = try tokens.add("me")
        let folder = try TemporaryFolder()
        try folder.write("token", token + "\n", mode: 0o600)
        try folder.write("wrong", "sandglass_0123", mode: 0o600)
        try folder.write("two", "a b\n", mode: 0o600)
        try folder.write("open", token, mode: 0o666)
        try withServer("--tokens", tokens.path) { server in
            let file = ["--token-file", folder.path + "/token"]
            #expect(try ClientProgram.submit("echo a", to: server.url, file).text == "a\n")
            let variables = ["SANDGLASS_TOKEN": token]
            #expect(try ClientProgram.submit("echo b", to: server.url, environment: variables).text == "b\n")
            let named = ["SANDGLASS_TOKEN_FILE": folder.path + "/token"]
            #expect(try ClientProgram.run("list", at: server.url, environment: named).end == .exited(0))
            for options in [[], ["--token-file", folder.path + "/wrong"]] {
                let refused = try ClientProgram.submit("true", to: server.url, options)
                #expect(refused.end == .exited(125))
                #expect(refused.diagnostics.contains("401") && refused.diagnostics.contains("--token-file"))
            }
            // The option counts, not the variable.
            let over = try ClientProgram.submit(
                "true",
                to: server.url,
                ["--token-file", folder.path + "/wrong"],
                environment: variables
            )
            #expect(over.end == .exited(125))
            for (name, what) in [
                ("two", "There is no token in"), ("open", "everybody may write to it"), ("none", "No such file"),
            ] {
                let unusable = try ClientProgram.submit(
                    "true",
                    to: server.url,
                    ["--token-file", folder.path + "/\(name)"]
                )
                #expect(unusable.end == .exited(125))
                #expect(unusable.diagnostics.contains(what), "\(unusable.diagnostics)")
                #expect(!unusable.diagnostics.contains(token))
            }
        }
    }

    @Test func `a redirection is not followed, and the token not sent to where it points`() throws {
        let other = try FakeServer { _ in FakeServer.json("201 Created", [], FakeRun.finished) }
        let server = try FakeServer { [url = other.url] _ in
            FakeServer.answer("307 Temporary Redirect", ["Location: \(url)/runs"], [])
        }
        let finished = try ClientProgram.submit("true", to: server.url, environment: ["SANDGLASS_TOKEN": "secret"])
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("pointed to \(other.url)/runs"))
    }

    // MARK: TLS

    @Test(.needs("openssl")) func `a server with TLS is trusted by its authority's certificate and not without`() throws
    {
        let folder = try TemporaryFolder()
        let (certificate, key) = (folder.path + "/certificate.pem", folder.path + "/key.pem")
        let made = try ChildProcess([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key,
            "-out",
            certificate,
        ]).finish()
        try #require(made.end == .exited(0), "\(made.diagnostics)")
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

    @Test func `a path before the API's own is that of a proxy`() throws {
        let server = try FakeServer { request in
            switch request.line {
            case "POST /some/where/runs": FakeServer.json("201 Created", [], FakeRun.finished)
            case "GET /some/where/runs/\(FakeRun.id)/events":
                FakeServer.answer("200 OK", [], FakeRun.endEvent(FakeRun.finished))
            default: FakeServer.answer("404 Not Found", [], [])
            }
        }
        #expect(try ClientProgram.submit("true", to: server.url + "/some/where/").end == .exited(0))
        let wrong = try ClientProgram.submit("true", to: server.url)
        #expect(wrong.end == .exited(125))
        #expect(wrong.diagnostics.contains("Is that the address of a Sandglass server?"))
    }

    // MARK: What a server may say

    @Test func `what a server says cannot drive the terminal`() throws {
        let escape = "\u{1b}[2J\u{7}\u{9b}31m\r\n\u{202e}"
        let server = try FakeServer { request in
            switch request.line {
            case "POST /runs":
                FakeServer.answer(
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

    /// No control characters but the ends of lines.
    private static func isHarmless(_ bytes: [UInt8]) -> Bool {
        String(decoding: bytes, as: UTF8.self).unicodeScalars.allSatisfy { scalar in
            scalar == "\n" || !(scalar.properties.generalCategory == .control || scalar.properties.isBidiControl)
        }
    }

    @Test func `an outcome of a later version is 125 and named`() throws {
        let server = try FakeServer { request in
            let run = FakeRun.finished.merging(["outcome": "evaporated"]) { _, own in own }
            return request.line == "POST /runs"
                ? FakeServer.json("201 Created", [], run) : FakeServer.answer("200 OK", [], FakeRun.endEvent(run))
        }
        let finished = try ClientProgram.submit("true", to: server.url)
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("evaporated"))
    }

    @Test(arguments: ["", "<html>", "{}", "[]", #"{"id": "x", "state": "finished"}"#])
    func `what is no run is not taken for one`(body: String) throws {
        let server = try FakeServer { _ in FakeServer.answer("200 OK", [], Array(body.utf8)) }
        let finished = try ClientProgram.submit("true", to: server.url)
        #expect(finished.end == .exited(125))
        #expect(!finished.error.isEmpty)
    }
}
