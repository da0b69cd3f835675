import Foundation
import System
import TestSupport
import Testing

/// Host names, origins and content types that a server accepts.
struct OriginTests {
    @Test func `a request for an unknown host gets 421`() throws {
        try withServer("--allow-host", "build.example.com", "--allow-host", "[2001:db8::1]") { server in
            for host in ["build.example.com", "BUILD.example.com:\(server.port)", "[2001:db8::1]:1", "localhost"] {
                #expect(try get(server, ["Host: \(host)"]).status == 200, "\(host)")
            }
            // These are no valid hosts (RFC 9112, 3.2).
            for host in ["2001:db8::1", "build.example.com:x"] {
                #expect(try get(server, ["Host: \(host)"]).status == 400, "\(host)")
            }
            for host in ["example.com", "build.example.com.evil.com", "[2001:db8::2]", ""] {
                let response = try get(server, ["Host: \(host)"])
                #expect(response.status == 421, "\(host)")
                #expect(try response.problem().status == 421)
            }
        }
    }

    @Test func `a page of another site cannot run a command`() throws {
        try withServer { server in
            // The requests that a browser sends for a form and for a script.
            let origin = "Origin: https://evil.example"
            let body = Array(#"{"command": ["true"]}"#.utf8)
            for type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                #expect(try post(server, body, ["Content-Type: \(type)", origin]).status == 403)
                #expect(try post(server, body, ["Content-Type: \(type)"]).status == 415)
            }
            #expect(try post(server, body, ["Content-Type: application/json", origin]).status == 403)
            #expect(try post(server, body, ["Content-Type: application/json", "Origin: null"]).status == 403)
            #expect(try post(server, body, []).status == 415)
            let preflight = try options(server, "/runs", [origin, "Access-Control-Request-Method: POST"])
            #expect(preflight.status == 403)
            #expect(preflight.headers.keys.allSatisfy { !$0.hasPrefix("access-control") })
            #expect(try server.runs().isEmpty)
        }
    }

    @Test func `--allow-origin lets a page send requests and read the response fields`() throws {
        try withServer("--allow-origin", "https://app.example.com") { server in
            let origin = "Origin: https://app.example.com"
            let preflight = try options(
                server,
                "/runs",
                [
                    origin, "Access-Control-Request-Method: POST",
                    "Access-Control-Request-Headers: authorization,content-type",
                    "Access-Control-Request-Private-Network: true",
                ]
            )
            #expect(preflight.status == 204)
            #expect(preflight.headers["access-control-allow-origin"] == "https://app.example.com")
            #expect(preflight.headers["access-control-allow-methods"]?.contains("POST") == true)
            let allowed = preflight.headers["access-control-allow-headers"]?.lowercased() ?? ""
            for name in ["authorization", "content-type", "idempotency-key", "prefer", "last-event-id"] {
                #expect(allowed.contains(name))
            }
            #expect(preflight.headers["access-control-max-age"] != nil)
            #expect(preflight.headers["access-control-allow-private-network"] == "true")
            #expect(preflight.headers["access-control-allow-credentials"] == nil)

            let body = Array(#"{"command": ["true"]}"#.utf8)
            let response = try post(server, body, ["Content-Type: application/json", origin])
            #expect(response.status == 202)
            #expect(response.headers["access-control-allow-origin"] == "https://app.example.com")
            #expect(response.headers["vary"] == "Origin")
            let exposed = response.headers["access-control-expose-headers"]?.lowercased() ?? ""
            for name in ["location", "etag", "link", "retry-after", "preference-applied", "ratelimit"] {
                #expect(exposed.contains(name))
            }
            // Errors have the field too, or the page could not show them. So have documents that the server keeps ready.
            for (target, status) in [("/runs/x", 404), ("/nowhere", 404), ("/runs?x", 400)] {
                let response = try get(server, [origin], target)
                #expect(response.status == status)
                #expect(response.headers["access-control-allow-origin"] == "https://app.example.com")
            }
            let id = try response.run().id
            _ = try server.finished(id)
            for headers in [[], [origin], [], [origin]] {
                let response = try get(server, headers, "/runs/\(id)")
                #expect((response.headers["access-control-allow-origin"] != nil) == !headers.isEmpty)
                #expect(response.headers["vary"] == "Origin")
            }
            for other in ["https://app.example.com:8443", "http://app.example.com", "https://app.example.com.evil.com"]
            {
                #expect(try get(server, ["Origin: \(other)"]).status == 403)
            }
        }
    }

    @Test func `the server's own origin is always allowed`() throws {
        try withServer { server in
            let own = ["Host: localhost:\(server.port)", "Origin: http://localhost:\(server.port)"]
            let response = try get(server, own)
            #expect(response.status == 200)
            #expect(response.headers["access-control-allow-origin"] == nil)
        }
    }

    private func get(_ server: ServerProcess, _ headers: [String], _ target: String = "/healthz") throws -> HTTPResponse
    {
        try send(server, "GET", target, headers)
    }

    private func options(_ server: ServerProcess, _ target: String, _ headers: [String]) throws -> HTTPResponse {
        try send(server, "OPTIONS", target, headers)
    }

    private func post(_ server: ServerProcess, _ body: [UInt8], _ headers: [String]) throws -> HTTPResponse {
        try send(server, "POST", "/runs", headers, body)
    }

    private func send(
        _ server: ServerProcess,
        _ method: String,
        _ target: String,
        _ headers: [String],
        _ body: [UInt8]? = nil
    ) throws -> HTTPResponse {
        let host = headers.contains { $0.hasPrefix("Host:") } ? [] : ["Host: 127.0.0.1:\(server.port)"]
        let client = try server.client()
        try client.request(method, target, host + headers, body: body)
        return try client.response()
    }
}

/// TLS with curl as the client.
@Suite(.needs("openssl"), .needs("curl"))
struct EncryptionTests {
    /// Runs curl.
    private func curl(_ arguments: String...) throws -> ChildProcess.Finished {
        try ChildProcess(["curl", "--silent", "--show-error", "--max-time", "30"] + arguments).finish()
    }

    @Test func `the server runs commands over TLS and knows its own https origin`() throws {
        let directory = try TemporaryDirectory()
        let (certificate, key) = try directory.makeCertificate()
        let flags = ["--tls-certificate", certificate, "--tls-key", key]
        let server = try ServerProcess(flags, scheme: "https")
        let url = "https://localhost:\(server.port)"
        let ran = try curl(
            "--cacert",
            certificate,
            "-H",
            "Content-Type: application/json",
            "-H",
            "Origin: \(url)",
            "-d",
            #"{"command": ["echo", "hello"]}"#,
            url + "/runs?wait=30"
        )
        #expect(ran.end == .exited(0), "\(ran.diagnostics)")
        #expect(try JSONDecoder().decode(RunDocument.self, from: Data(ran.output)).stdout.text == "hello\n")
        let foreign = try curl(
            "--cacert",
            certificate,
            "-H",
            "Origin: http://localhost:\(server.port)",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            url + "/healthz"
        )
        #expect(String(decoding: foreign.output, as: UTF8.self) == "403")
        // An unknown certificate, TLS 1.1 and plain HTTP fail.
        #expect(try curl(url + "/healthz").end == .exited(60))
        #expect(try curl("--cacert", certificate, "--tls-max", "1.1", url + "/healthz").end == .exited(35))
        #expect(try curl("http://localhost:\(server.port)/healthz").end != .exited(0))
        try server.stop()
    }

    @Test func `blobs, followed output, events and artifacts work over TLS`() throws {
        let directory = try TemporaryDirectory()
        let (certificate, key) = try directory.makeCertificate()
        let server = try ServerProcess(
            ["--tls-certificate", certificate, "--tls-key", key, "--concurrency", "1"],
            scheme: "https"
        )
        let url = "https://localhost:\(server.port)"
        func curl(_ arguments: String...) throws -> [UInt8] {
            let finished = try ChildProcess(
                ["curl", "--silent", "--show-error", "--fail", "--max-time", "60", "--cacert", certificate] + arguments
            ).finish()
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            return finished.output
        }
        func post(_ body: String, _ query: String) throws -> RunDocument {
            let response = try curl("-H", "Content-Type: application/json", "-d", body, url + "/runs" + query)
            return try JSONDecoder().decode(RunDocument.self, from: Data(response))
        }
        let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        try Data(content).write(to: URL(filePath: directory.path + "/content"))
        let name = "sha256:\(SHA256Digest(of: content).hexadecimal)"
        _ = try curl("--upload-file", directory.path + "/content", "\(url)/blobs/\(name)")
        #expect(try curl("\(url)/blobs/\(name)") == content)
        // The run is queued when the client begins to follow it.
        let first = try post(#"{"command": ["sleep", "1"]}"#, "")
        let run = try post(
            #"{"command": ["sh", "-c", "cat; cp in out"], "stdin": {"blob": "\#(name)"}, "files": {"in": {"blob": "\#(name)"}},"#
                + #" "artifacts": ["out"], "limits": {"outputBytes": 4000000}}"#,
            ""
        )
        #expect(first.id != run.id)
        #expect(try curl("\(url)/runs/\(run.id)/stdout?follow=true") == content)
        let events = try curl("\(url)/runs/\(run.id)/events")
        #expect(String(decoding: events.suffix(2000), as: UTF8.self).contains("event: end"))
        #expect(try curl("\(url)/runs/\(run.id)/artifacts/out") == content)
        try server.stop()
    }

    @Test func `an invalid certificate or key stops the start`() throws {
        let (one, two) = (try TemporaryDirectory(), try TemporaryDirectory())
        let (first, second) = (try one.makeCertificate(), try two.makeCertificate())
        let broken = one.path + "/broken.pem"
        try Data("-----BEGIN CERTIFICATE-----\n".utf8).write(to: URL(filePath: broken))
        for (certificate, key) in [
            (broken, first.key), (first.certificate, broken), (first.certificate, second.key),
            (first.certificate, "/no/such/key"),
        ] {
            let finished = try ChildProcess([
                Host.program, "serve", "--listen", "127.0.0.1:0", "--tls-certificate", certificate, "--tls-key", key,
            ]).finish()
            #expect(finished.end == .exited(1), "\(certificate) \(key)")
            #expect(finished.diagnostics.contains("cannot start"))
        }
    }
}
