import Foundation
import Glibc
import System
import TestSupport
import Testing

/// `PUT` and `GET /blobs/{name}`.
struct BlobTests {
    private static func content(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<(count + 7) / 8).flatMap { _ in
            let word = random.next()
            return (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
        }.prefix(count).map { $0 }
    }

    private static func target(_ content: [UInt8]) -> String {
        "/blobs/sha256:\(SHA256Digest(of: content).hexadecimal)"
    }

    private func put(
        _ server: ServerProcess,
        _ content: [UInt8],
        at target: String? = nil,
        _ headers: [String] = []
    ) throws -> HTTPResponse {
        let client = try server.client()
        try client.request("PUT", target ?? Self.target(content), headers, body: content)
        return try client.response()
    }

    /// Returns the files that store blobs.
    private func files(_ data: TemporaryDataDirectory) throws -> [String] {
        try data.contents().keys.filter { $0.hasPrefix("blobs/") }.sorted()
    }

    @Test func `a blob is returned as it was uploaded`() throws {
        try withServer { server in
            let content = Self.content(1_000_000)
            let target = Self.target(content)
            try #expect(server.get(target).status == 404)
            let created = try put(server, content)
            #expect(created.status == 201)
            #expect(created.headers["location"] == target)
            try #expect(put(server, content).status == 204)
            let response = try server.get(target)
            #expect(response.status == 200)
            #expect(response.body == content)
            #expect(response.headers["content-type"] == "application/octet-stream")
            #expect(response.headers["x-content-type-options"] == "nosniff")
            #expect(response.headers["accept-ranges"] == "bytes")
            #expect(response.headers["etag"] == "\"\(target.dropFirst(7))\"")
            let client = try server.client()
            try client.request("HEAD", target)
            let head = try client.response(toHead: true)
            #expect(head.status == 200)
            #expect(head.headers["content-length"] == "1000000")
            try #expect(client.health() == 200)
            let known = try server.get(target, ["If-None-Match: \"\(target.dropFirst(7))\""])
            #expect(known.status == 304)
            #expect(known.body.isEmpty)
            try #expect(put(server, []).status == 201)
            try #expect(server.get(Self.target([])).body == [])
        }
    }

    @Test func `a blob supports ranges`() throws {
        try withServer { server in
            let content = Self.content(100_000)
            let target = Self.target(content)
            try #expect(put(server, content).status == 201)
            for (range, part) in [
                ("0-0", 0..<1), ("10-19", 10..<20), ("99990-", 99_990..<100_000), ("-10", 99_990..<100_000),
                ("5-99999999", 5..<100_000),
            ] {
                let response = try server.get(target, ["Range: bytes=\(range)"])
                #expect(response.status == 206, "\(range)")
                #expect(response.body == Array(content[part]), "\(range)")
                let contentRange = "bytes \(part.lowerBound)-\(part.upperBound - 1)/100000"
                #expect(response.headers["content-range"] == contentRange, "\(range)")
            }
            let response = try server.get(target, ["Range: bytes=100000-"])
            #expect(response.status == 416)
            #expect(response.headers["content-range"] == "bytes */100000")
            try #expect(server.get(target, ["Range: bytes=5-9", "If-Range: \"x\""]).status == 200)
        }
    }

    @Test func `a blob's name has exactly one spelling`() throws {
        try withServer { server in
            let name = SHA256Digest(of: [1]).hexadecimal
            for name in [name.uppercased(), String(name.dropLast()), name + "0", "x" + name.dropFirst()] {
                try #expect(put(server, [1], at: "/blobs/sha256:\(name)").status == 400, "\(name)")
                try #expect(server.get("/blobs/sha256:\(name)").status == 400, "\(name)")
            }
            try #expect(put(server, [1], at: "/blobs/\(name)").status == 404)
            try #expect(server.send("DELETE", "/blobs/sha256:\(name)").status == 405)
        }
    }

    @Test func `an upload with another digest gets 422 and is not stored`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server()
        let content = Self.content(300_000)
        let response = try put(server, content, at: Self.target([1]))
        #expect(response.status == 422)
        #expect(try response.problem().detail.contains(SHA256Digest(of: content).hexadecimal))
        try #expect(server.get(Self.target([1])).status == 404)
        try #expect(files(data) == [])
        try server.stop()
    }

    @Test func `a chunked upload is accepted`() throws {
        try withServer { server in
            let content = Self.content(500_000)
            let client = try server.client()
            try client.request("PUT", Self.target(content), ["Transfer-Encoding: chunked"])
            for start in stride(from: 0, to: content.count, by: 100_000) {
                try client.send("186a0\r\n")
                try client.send(Array(content[start..<start + 100_000]))
                try client.send("\r\n")
            }
            try client.send("0\r\n\r\n")
            try #expect(client.response().status == 201)
            try #expect(server.get(Self.target(content)).body == content)
        }
    }

    @Test func `an unauthorized or oversized upload is refused before its body`() throws {
        let tokens = try TokenDirectory()
        let reader = try tokens.add("reader", "--role", "read")
        let runner = try tokens.add("runner", "--role", "run")
        let server = try ServerProcess(["--tokens", tokens.path, "--blob-bytes", "1048576"])
        let target = Self.target([1])
        for (status, headers) in [
            (401, []), (403, ["Authorization: Bearer \(reader)"]),
            (421, ["Host: evil.example", "Authorization: Bearer \(runner)"]),
            (403, ["Origin: http://evil.example", "Authorization: Bearer \(runner)"]),
            (413, ["Authorization: Bearer \(runner)"]),
        ] {
            let client = try server.client()
            try client.request("PUT", target, headers + ["Expect: 100-continue", "Content-Length: 1048577"])
            let response = try client.response()
            #expect(response.status == status)
            #expect(response.headers["connection"] == "close")
        }
        try server.stop()
    }

    @Test func `an incomplete upload leaves no file`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server()
        let content = Self.content(1_000_000)
        for resets in [false, true] {
            do {
                let client = try server.client()
                try client.request("PUT", Self.target(content), ["Content-Length: 1000000"])
                try client.send(Array(content.prefix(700_000)))
                try #require(eventually { (try? files(data).count) == 1 })
                if resets { client.resetOnClose() }
            }
            #expect(eventually { (try? files(data)) == [] })
        }
        try #expect(server.get(Self.target(content)).status == 404)
        try server.stop()
    }

    @Test func `a kill loses incomplete uploads only`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let (kept, cut) = (Self.content(300_000), Self.content(1_000_000, seed: 2))
        try #expect(put(first, kept).status == 201)
        let client = try first.client()
        try client.request("PUT", Self.target(cut), ["Content-Length: 1000000"])
        try client.send(Array(cut.prefix(700_000)))
        try #require(eventually { (try? files(data).count) == 2 })
        try first.kill()
        let second = try data.server()
        try #expect(second.get(Self.target(kept)).body == kept)
        try #expect(second.get(Self.target(cut)).status == 404)
        try #expect(files(data).count == 1)
        try second.stop()
    }

    @Test func `concurrent uploads of one blob store one file`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server()
        let content = Self.content(400_000)
        let clients = try (0..<8).map { _ in try server.client() }
        for client in clients {
            try client.request("PUT", Self.target(content), ["Content-Length: 400000"])
            try client.send(Array(content.prefix(200_000)))
        }
        for client in clients { try client.send(Array(content.dropFirst(200_000))) }
        let statuses = try clients.map { try $0.response().status }.sorted()
        #expect(statuses == [201] + Array(repeating: 204, count: 7))
        try #expect(files(data).count == 1)
        try server.stop()
    }

    @Test func `a principal sees its own blobs only`() throws {
        let tokens = try TokenDirectory()
        let headers = try ["a", "b", "admin"].map { name in
            ["Authorization: Bearer \(try tokens.add(name, "--role", name == "admin" ? "admin" : "run"))"]
        }
        let server = try ServerProcess(["--tokens", tokens.path])
        let content = Self.content(1000)
        let target = Self.target(content)
        try #expect(put(server, content, headers[0]).status == 201)
        try #expect(server.get(target, headers[0]).status == 200)
        try #expect(server.get(target, headers[1]).status == 404)
        try #expect(server.get(target, headers[1] + ["If-None-Match: *"]).status == 404)
        try #expect(server.get(target, headers[2]).status == 200)
        // A second uploader does not learn that the blob exists.
        try #expect(put(server, content, headers[1]).status == 201)
        try #expect(put(server, content, headers[1]).status == 204)
        try #expect(server.get(target, headers[1]).status == 200)
        try server.stop()
    }

    @Test func `an upload beyond the quota gets 507 until old blobs are deleted`() throws {
        let (content, other) = (Self.content(800_000), Self.content(800_000, seed: 2))
        let directory = try TemporaryDataDirectory()
        let keeping = try directory.server("--blob-bytes", "1048576")
        try #expect(put(keeping, content).status == 201)
        let refused = try put(keeping, other)
        #expect(refused.status == 507)
        #expect(refused.headers["retry-after"] != nil)
        try keeping.stop()
        // The first server kept blobs for long, so no blob could expire before, however slow this machine is.
        let server = try directory.server("--blob-bytes", "1048576", "--keep-blobs-for", "1")
        try #expect(eventually { try put(server, other).status == 201 })
        try #expect(server.get(Self.target(content)).status == 404)
        try server.stop()
    }

    @Test(.enabled(if: geteuid() == 0, "only root mounts a small file system"))
    func `an upload to a full disk gets 507 and leaves no file`() throws {
        let data = try TemporaryDataDirectory()
        #expect(mkdir(data.path, 0o700) == 0)
        try #require(mount("tmpfs", data.path, "tmpfs", 0, "size=16m") == 0)
        defer { umount(data.path) }
        let server = try data.server()
        let content = Self.content(20 << 20)
        let client = try server.client()
        try client.request("PUT", Self.target(content), ["Content-Length: \(content.count)"])
        // The response arrives during the upload, and the server may close the connection before its end.
        try? client.send(content)
        try #expect(client.response().status == 507)
        #expect(eventually { (try? files(data)) == [] })
        try #expect(put(server, Self.content(100_000)).status == 201)
        try server.stop()
    }

    @Test func `memory does not grow with a blob`() throws {
        try withServer { server in
            try #expect(put(server, Self.content(1_000_000)).status == 201)
            let before = try #require(ProcessTable.memory("VmRSS", of: server.pid))
            // The same bytes again and again; the digest of all of them is the blob's name.
            let piece = Self.content(1 << 20, seed: 3)
            var hasher = SHA256Hasher()
            for _ in 0..<256 { piece.withUnsafeBytes { hasher.update($0) } }
            let target = "/blobs/sha256:\(hasher.finish().hexadecimal)"
            let client = try server.client()
            try client.request("PUT", target, ["Content-Length: \(256 << 20)"])
            for _ in 0..<256 { try client.send(piece) }
            try #expect(client.response().status == 201)
            try client.request("GET", target, ["Range: bytes=1048576-2097151"])
            try #expect(client.response().body == piece)
            #expect(try #require(ProcessTable.memory("VmRSS", of: server.pid)) - before < 16 << 20)
        }
    }
}
