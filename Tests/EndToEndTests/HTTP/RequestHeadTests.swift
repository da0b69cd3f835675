import Foundation
import TestSupport
import Testing

/// Requests whose head decides, and which send no byte of their body.
struct RequestHeadTests {
    private static let run = "/runs/01JDA6Z8Q4X1S9V7T2M3N5P6R8"
    private static let json = "Content-Type: application/json"

    /// A head of which the body never arrives, and the status of the response.
    private static let heads: [(method: String, target: String, headers: [String], status: Int)] = [
        ("POST", "/runs", [json, "Host: attacker.example"], 421),
        ("POST", "/runs", [json, "Origin: https://attacker.example"], 403),
        ("POST", "/runs", [json, "Host: attacker.example", "Transfer-Encoding: chunked"], 421),
        ("POST", "/nowhere", [json], 404),
        ("PUT", "/runs", [json], 405),
        ("GET", "/nowhere", [], 404),
        ("POST", "/runs", ["Content-Type: text/plain"], 415),
        ("POST", "/runs", [json, "Content-Encoding: gzip"], 415),
        ("POST", "/runs?waiting=1", [json], 400),
        ("POST", "/runs?wait=soon", [json], 400),
        ("POST", "/runs", [json, "Idempotency-Key: a", "Idempotency-Key: b"], 400),
        ("POST", "\(run)/rerun?wait=soon", [], 400),
        ("DELETE", "\(run)?all=true", [], 400),
        ("PUT", "/blobs/sha256:abc", [], 400),
        ("POST", "\(run)/cancel", ["Host: attacker.example"], 421),
    ]

    /// Sends a head that announces a body, and returns the response, after which the server must close.
    private func response(
        of server: ServerProcess,
        _ method: String,
        _ target: String,
        _ headers: [String]
    ) throws -> HTTPResponse {
        let client = try server.client()
        let isChunked = headers.contains { $0.hasPrefix("Transfer-Encoding") }
        try client.request(method, target, headers + (isChunked ? [] : ["Content-Length: 1000"]))
        let response = try client.response()
        #expect(response.headers["connection"] == "close")
        #expect(try client.isClosed())
        return response
    }

    @Test func `a head that is refused gets its response before the body, and no 100`() throws {
        try withServer { server in
            for (method, target, headers, status) in Self.heads {
                for extra in [[], ["Expect: 100-continue"]] {
                    let response = try response(of: server, method, target, headers + extra)
                    #expect(response.status == status, "\(method) \(target) \(headers + extra)")
                    #expect(try response.problem().status == status)
                }
            }
        }
    }

    @Test func `a request without a valid token or role gets its response before the body`() throws {
        let tokens = try TokenDirectory()
        let reader = try tokens.add("reader", "--role", "read")
        let server = try ServerProcess(["--tokens", tokens.path])
        for (method, target) in [
            ("POST", "/runs"), ("POST", "\(Self.run)/cancel"), ("POST", "\(Self.run)/rerun"), ("DELETE", Self.run),
            ("PUT", "/blobs/sha256:" + String(repeating: "0", count: 64)), ("GET", "/runs"), ("POST", "/nowhere"),
        ] {
            for extra in [[], ["Expect: 100-continue"]] {
                let response = try response(of: server, method, target, [Self.json] + extra)
                #expect(response.status == 401, "\(method) \(target)")
                #expect(response.headers["www-authenticate"] == "Bearer realm=\"sandglass\"")
                guard method != "GET", target != "/nowhere" else { continue }
                let headers = [Self.json, "Authorization: Bearer \(reader)"] + extra
                #expect(try self.response(of: server, method, target, headers).status == 403)
            }
        }
        try server.stop()
    }

    @Test func `a rate limit refuses a run before its body`() throws {
        let tokens = try TokenDirectory()
        let token = try tokens.add("ci", "--runs-per-minute", "1")
        let server = try ServerProcess(["--tokens", tokens.path])
        let headers = ["Authorization: Bearer \(token)"]
        #expect(try server.post(#"{"command": ["true"]}"#, headers).status == 202)
        let refused = try response(of: server, "POST", "/runs", headers + [Self.json])
        #expect(refused.status == 429)
        #expect(refused.headers["retry-after"] != nil)
        try server.stop()
    }

    @Test func `the body of a request that needs none takes no part of the pool`() throws {
        try withServer("--max-body-bytes", "64K", "--max-body-bytes-in-all", "64K") { server in
            let id = try server.submit(["true"]).id
            let clients = try (0..<4).map { _ in try server.client() }
            for client in clients {
                try client.request("POST", "/runs/\(id)/cancel", ["Content-Length: 65536"])
                try client.send([UInt8](repeating: 0x20, count: 65_535))
            }
            // The server has read a part of the earlier bodies when it answers on a later connection.
            #expect(try server.get("/healthz").status == 200)
            #expect(try server.run(["true"], ["stdin": String(repeating: "a", count: 60_000)]).end == .exited(0))
            for client in clients {
                try client.send(" ")
                #expect([200, 202].contains(try client.response().status))
            }
        }
    }

    @Test func `callers who hold the pool of bodies give way to another principal`() throws {
        let tokens = try TokenDirectory()
        let (first, second) = (try tokens.add("first"), try tokens.add("second"))
        let size = 1 << 20
        let server = try ServerProcess([
            "--tokens", tokens.path, "--max-body-bytes", "1M", "--max-body-bytes-in-all", "2M",
        ])
        let holders = try (0..<2).map { _ in try server.client() }
        for client in holders {
            let length = ["Content-Length: \(size)", "Expect: 100-continue"]
            try client.request("POST", "/runs", [Self.json, "Authorization: Bearer \(first)"] + length)
            #expect(try client.response().status == 100)
            try client.send([UInt8](repeating: 0x20, count: size - 1))
        }
        let body = try ServerProcess.body(["true"], ["stdin": String(repeating: "a", count: 900_000)])
        let response = try server.post(body, query: "?wait=60", ["Authorization: Bearer \(second)"])
        #expect(response.status == 201, "\(response.text)")
        let refused = holders.filter { $0.hasResponse(withinMilliseconds: 0) }
        #expect(!refused.isEmpty)
        for client in refused {
            let response = try client.response()
            #expect(response.status == 503)
            #expect(response.headers["retry-after"] == "1")
        }
        try server.stop()
    }
}
