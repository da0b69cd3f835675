import Foundation
import Testing

/// Which names, pages and bodies a server takes.
struct OriginTests {
    @Test func `a request for another name is misdirected`() throws {
        try withServer("--allow-host", "build.example.com", "--allow-host", "[2001:db8::1]") { server in
            for host in ["build.example.com", "BUILD.example.com:\(server.port)", "[2001:db8::1]:1", "localhost"] {
                #expect(try get(server, ["Host: \(host)"]).status == 200, "\(host)")
            }
            // No host at all (RFC 9112, 3.2).
            for host in ["2001:db8::1", "build.example.com:x"] {
                #expect(try get(server, ["Host: \(host)"]).status == 400, "\(host)")
            }
            for host in ["example.com", "build.example.com.evil.com", "[2001:db8::2]", ""] {
                let answer = try get(server, ["Host: \(host)"])
                #expect(answer.status == 421, "\(host)")
                #expect(try answer.problem().status == 421)
            }
        }
    }

    @Test func `a page of another site cannot have a command run`() throws {
        try withServer { server in
            // What a browser sends for a form, and for a script that tries.
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

    @Test func `a page that is allowed may ask, and read what it needs`() throws {
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
            let answer = try post(server, body, ["Content-Type: application/json", origin])
            #expect(answer.status == 202)
            #expect(answer.headers["access-control-allow-origin"] == "https://app.example.com")
            #expect(answer.headers["vary"] == "Origin")
            let exposed = answer.headers["access-control-expose-headers"]?.lowercased() ?? ""
            for name in ["location", "etag", "link", "retry-after", "preference-applied", "ratelimit"] {
                #expect(exposed.contains(name))
            }
            // An error too, or the page could not say what is wrong; and what is kept ready.
            for (target, status) in [("/runs/x", 404), ("/nowhere", 404), ("/runs?x", 400)] {
                let answer = try get(server, [origin], target)
                #expect(answer.status == status)
                #expect(answer.headers["access-control-allow-origin"] == "https://app.example.com")
            }
            let id = try answer.run().id
            _ = try server.finished(id)
            for headers in [[], [origin], [], [origin]] {
                let answer = try get(server, headers, "/runs/\(id)")
                #expect((answer.headers["access-control-allow-origin"] != nil) == !headers.isEmpty)
                #expect(answer.headers["vary"] == "Origin")
            }
            for other in ["https://app.example.com:8443", "http://app.example.com", "https://app.example.com.evil.com"]
            {
                #expect(try get(server, ["Origin: \(other)"]).status == 403)
            }
        }
    }

    @Test func `the server's own pages may ask without being named`() throws {
        try withServer { server in
            let own = ["Host: localhost:\(server.port)", "Origin: http://localhost:\(server.port)"]
            let answer = try get(server, own)
            #expect(answer.status == 200)
            #expect(answer.headers["access-control-allow-origin"] == nil)
        }
    }

    private func get(_ server: ServerProcess, _ headers: [String], _ target: String = "/healthz") throws -> HTTPAnswer {
        try raw(server, "GET", target, headers)
    }

    private func options(_ server: ServerProcess, _ target: String, _ headers: [String]) throws -> HTTPAnswer {
        try raw(server, "OPTIONS", target, headers)
    }

    private func post(_ server: ServerProcess, _ body: [UInt8], _ headers: [String]) throws -> HTTPAnswer {
        try raw(server, "POST", "/runs", headers + ["Content-Length: \(body.count)"], body)
    }

    private func raw(
        _ server: ServerProcess,
        _ method: String,
        _ target: String,
        _ headers: [String],
        _ body: [UInt8] = []
    ) throws -> HTTPAnswer {
        let host = headers.contains { $0.hasPrefix("Host:") } ? [] : ["Host: 127.0.0.1:\(server.port)"]
        let client = try server.client()
        let head = ["\(method) \(target) HTTP/1.1"] + host + headers + ["", ""]
        try client.send(Array(head.joined(separator: "\r\n").utf8) + body)
        return try client.answer()
    }
}
