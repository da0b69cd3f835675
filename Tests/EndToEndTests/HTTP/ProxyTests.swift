import Foundation
import System
import TestSupport
import Testing

/// URLs in responses behind a proxy with a path prefix, and encoded bodies.
struct ProxyTests {
    @Test func `--public-url begins every URL in a response`() throws {
        let url = "https://build.example.com/sandglass"
        try withServer("--public-url", url + "/") { server in
            try expectURLs(of: server, begin: url, [])
            // The host of the URL is a name of the server, and its pages are the server's own.
            #expect(try server.get("/healthz", ["Host: build.example.com"]).status == 200)
            #expect(try server.get("/runs", ["Origin: https://build.example.com"]).status == 200)
            #expect(try server.get("/runs", ["Origin: https://evil.example"]).status == 403)
            #expect(try server.get("/healthz", ["Host: example.com"]).status == 421)
            // A client cannot change the URLs.
            try expectURLs(of: server, begin: url, ["X-Forwarded-Prefix: /evil"])
        }
    }

    @Test func `a trusted proxy states the prefix in each request`() throws {
        try withServer("--trusted-proxy", "127.0.0.0/8") { server in
            try expectURLs(of: server, begin: "/builds", ["X-Forwarded-Prefix: /builds"])
            let forwarded = "Forwarded: for=192.0.2.7;host=build.example.com;proto=https"
            try expectURLs(of: server, begin: "https://build.example.com", [forwarded])
            try expectURLs(of: server, begin: "", [])
        }
    }

    @Test func `headers of other clients have no effect`() throws {
        for flags in [[], ["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1"]] {
            let server = try ServerProcess(flags)
            let fields = ["X-Forwarded-Prefix: /evil", "Forwarded: host=evil.example;proto=https"]
            try expectURLs(of: server, begin: "", fields)
            try server.stop()
        }
    }

    /// Checks `Location`, `Link` and the OpenAPI document.
    private func expectURLs(of server: ServerProcess, begin base: String, _ headers: [String]) throws {
        let first = try server.post(ServerProcess.body(["true"]), query: "?wait=60", headers)
        #expect(try first.headers["location"] == "\(base)/runs/\(first.run().id)")
        _ = try server.run(["true"])
        let link = try server.get("/runs?limit=1", headers).headers["link"] ?? ""
        #expect(link.hasPrefix("<\(base)/runs?limit=1&cursor="), "\(link)")
        let content = Array("\(base)\(first.headers["location"] ?? "")\(UInt64.random(in: 0 ... .max))".utf8)
        let target = "/blobs/sha256:\(SHA256Digest(of: content).hexadecimal)"
        let client = try server.client()
        try client.request("PUT", target, headers, body: content)
        #expect(try client.response().headers["location"] == base + target)
        let document = try JSONSerialization.jsonObject(with: Data(server.get("/openapi.json", headers).body))
        let servers = (document as? [String: Any])?["servers"] as? [[String: String]]
        #expect(servers == [["url": base.isEmpty ? "/" : base]])
    }

    @Test func `an encoded body gets 415 and the accepted coding`() throws {
        try withServer { server in
            let body = try ServerProcess.body(["true"])
            for coding in ["gzip", "br", "identity, gzip", "x"] {
                let response = try server.post(body, ["Content-Encoding: \(coding)"])
                #expect(response.status == 415, "\(coding)")
                #expect(response.headers["accept-encoding"] == "identity")
                #expect(try response.problem().status == 415)
            }
            let client = try server.client()
            let target = "/blobs/sha256:\(SHA256Digest(of: body).hexadecimal)"
            try client.request("PUT", target, ["Content-Encoding: gzip"], body: body)
            #expect(try client.response().status == 415)
            #expect(try server.get(target).status == 404)
            #expect(try server.post(body, ["Content-Encoding: Identity"]).status == 202)
            #expect(try server.post(body, ["Content-Encoding:"]).status == 202)
            #expect(try server.runs().count == 2)
        }
    }
}
