import Foundation
import Glibc
import TestSupport
import Testing

/// `GET /openapi.json`, compared with the server's behaviour.
struct OpenAPITests {
    @Test func `the document supports GET, HEAD and If-None-Match`() throws {
        try withServer { server in
            let whole = try server.get("/openapi.json")
            #expect(whole.status == 200)
            #expect(whole.headers["content-type"] == "application/json")
            let tag = try #require(whole.headers["etag"])
            let again = try server.get("/openapi.json", ["If-None-Match: \"x\", \(tag)"])
            #expect(again.status == 304)
            #expect(again.headers["etag"] == tag)
            #expect(again.body.isEmpty)
            try #expect(server.get("/openapi.json", ["If-None-Match: \"x\""]).body == whole.body)
            let client = try server.client()
            try client.request("HEAD", "/openapi.json")
            let head = try client.response(toHead: true)
            #expect(head.status == 200)
            #expect(head.headers["content-length"] == "\(whole.body.count)")
            try #expect(client.health() == 200)
        }
    }

    @Test func `a page of another origin cannot read the document`() throws {
        try withServer { server in
            let response = try server.get("/openapi.json", ["Host: localhost", "Origin: http://evil.example"])
            #expect(response.status == 403)
            try #expect(server.get("/openapi.json").headers["access-control-allow-origin"] == nil)
        }
    }

    @Test func `every resource with an ETag supports If-None-Match`() throws {
        try withServer { server in
            let run = try server.run(["true"])
            for path in ["/runs", "/runs/\(run.id)", "/capabilities", "/healthz", "/readyz", "/openapi.json"] {
                let tag = try #require(server.get(path).headers["etag"], "\(path)")
                let again = try server.get(path, ["If-None-Match: \(tag)"])
                #expect(again.status == 304, "\(path)")
                #expect(again.body.isEmpty && again.headers["etag"] == tag, "\(path)")
            }
        }
    }

    @Test func `the document has this server's version, networks and images`() throws {
        try withServer("--allow-host-network") { server in
            let document = try Document(server)
            let capabilities = try object(server.get("/capabilities").body)
            #expect(document["info", "version"] as? String == capabilities["version"] as? String)
            #expect(document.choices("network") == ["none", "host"])
            #expect(document.choices("image") == capabilities["images"] as? [String])
        }
        try withServer { server in
            try #expect(Document(server).choices("network") == ["none"])
        }
    }

    @Test func `each example request leads to its example response`() throws {
        try withServer { server in
            let document = try Document(server)
            let media = "application/json"
            let requests = document["paths", "/runs", "post", "requestBody", "content", media, "examples"]
            let names = try #require(requests as? [String: Any]).keys
            #expect(names.count >= 6)
            let operation = ["paths", "/runs", "post"]
            for name in names {
                let body = try #require(
                    document[operation + ["requestBody", "content", media, "examples", name, "value"]]
                )
                let response = try server.post(
                    Array(JSONSerialization.data(withJSONObject: body)),
                    query: "?wait=60",
                    ["Idempotency-Key: \(name)"]
                )
                try #require(response.status == 201, "\(name): \(response.text)")
                let example = document[operation + ["responses", "201", "content", media, "examples", name, "value"]]
                let expected = try JSONDecoder().decode(
                    RunDocument.self,
                    from: JSONSerialization.data(withJSONObject: #require(example, "\(name)"))
                )
                let run = try response.run()
                #expect(run.end == expected.end, "\(name)")
                #expect(run.stdout == expected.stdout, "\(name)")
                #expect(run.stderr == expected.stderr, "\(name)")
                #expect(run.command == expected.command && run.labels == expected.labels, "\(name)")
                #expect(run.limits.memoryBytes == expected.limits.memoryBytes, "\(name)")
            }
        }
    }

    @Test(.enabled(if: Self.hasValidator, "python3 has no jsonschema"))
    func `the examples and the server's responses match the schemas`() throws {
        try withServer("--concurrency", "1", "--queue-limit", "1") { server in
            let responses = try Self.responses(of: server)
            #expect(Set(responses.map(\.operation)).count == (try Document(server).operations))
            let differences = try Self.differences(server, responses)
            #expect(differences.isEmpty, "\(differences)")
        }
    }

    @Test(.enabled(if: Self.hasValidator, "python3 has no jsonschema"))
    func `the validator finds undescribed responses`() throws {
        try withServer { server in
            var described = try DescribedResponse("GET", "/runs/{id}", server.get("/runs/\(server.run(["true"]).id)"))
            try #expect(Self.differences(server, [described]) == "")
            let text = described.response.text
            described.response.body = Array(text.replacing("\"state\":", with: "\"surprise\":1,\"state\":").utf8)
            try #expect(Self.differences(server, [described]).contains("surprise"))
            described.response.body = Array(text.replacing("\"outcome\":\"exited\"", with: "\"outcome\":null").utf8)
            try #expect(!Self.differences(server, [described]).isEmpty)
            described = DescribedResponse("DELETE", "/runs/{id}", try server.get("/runs"))
            try #expect(Self.differences(server, [described]).contains("the status is not described"))
        }
    }

    // MARK: Responses

    /// Returns at least one response of each operation, and of each error that is easy to cause.
    private static func responses(of server: ServerProcess) throws -> [DescribedResponse] {
        var responses: [DescribedResponse] = []
        func record(_ method: String, _ path: String, _ response: HTTPResponse, _ status: Int) {
            #expect(response.status == status, "\(method) \(path): \(response.text)")
            responses.append(DescribedResponse(method, path, response))
        }
        for path in ["/capabilities", "/healthz", "/readyz", "/openapi.json"] {
            record("GET", path, try server.get(path), 200)
            record("GET", path, try server.get(path, ["If-None-Match: *"]), 304)
            record("GET", path, try server.get(path, ["Host: evil.example"]), 421)
            record("GET", path, try server.get(path + "?x=1"), 400)
        }
        record("GET", "/metrics", try server.get("/metrics"), 200)
        record("GET", "/metrics", try server.get("/metrics?x=1"), 400)
        let hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        let (blob, name) = ("/blobs/sha256:{hex}", "/blobs/sha256:\(hello)")
        for (status, body) in [(422, "other"), (201, "hello\n"), (204, "hello\n")] {
            let client = try server.client()
            try client.request("PUT", name, body: Array(body.utf8))
            record("PUT", blob, try client.response(), status)
        }
        record("PUT", blob, try server.send("PUT", "/blobs/sha256:x"), 400)
        record("GET", blob, try server.get(name), 200)
        record("GET", blob, try server.get(name, ["If-None-Match: *"]), 304)
        record("GET", blob, try server.get(name, ["Range: bytes=1-3"]), 206)
        record("GET", blob, try server.get(name, ["Range: bytes=9-"]), 416)
        record("GET", blob, try server.get("/blobs/sha256:" + String(repeating: "0", count: 64)), 404)
        record("GET", blob, try server.get("/blobs/sha256:x"), 400)
        let run = try server.run(["sh", "-c", "echo out; echo oops >&2"], ["labels": ["a": "b"]]).id
        for (command, members) in [
            (["sh", "-c", "kill -SEGV $$"], [:]), (["no-such-program"], [:]),
            (["sleep", "9"], ["timeoutSeconds": 0.05]),
            (["sh", "-c", "head -c 1100000 /dev/zero | tr '\\0' x"], ["limits": ["outputBytes": 2_000_000]]),
            (["printf", "\\377"], [:]), (["true"], ["cache": true]), (["true"], ["cache": true]),
        ] as [([String], [String: Any])] {
            let response = try server.post(ServerProcess.body(command, members), query: "?wait=60", ["Prefer: wait=1"])
            record("POST", "/runs", response, 201)
            record("GET", "/runs/{id}", try server.get("/runs/\(response.run().id)", ["Prefer: wait=1"]), 200)
        }
        record("POST", "/runs", try server.post("{}"), 422)
        record("POST", "/runs", try server.post("{"), 400)
        record("POST", "/runs", try server.post("{}", ["Idempotency-Key: \"é\""]), 400)
        record("POST", "/runs", try server.post("{}", ["Origin: http://evil.example"]), 403)
        record("POST", "/runs", try server.send("POST", "/runs"), 415)
        record("GET", "/runs", try server.get("/runs?limit=1"), 200)
        record("GET", "/runs", try server.get("/runs?limit=0"), 400)
        record("GET", "/runs", try server.get("/runs?label=" + String(repeating: "x", count: 9000)), 414)
        record("GET", "/runs", try server.get("/runs", ["X: " + String(repeating: "x", count: 20000)]), 431)
        record("GET", "/runs", try server.send("PUT", "/runs"), 405)
        for name in ["stdout", "stderr"] {
            record("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)"), 200)
            record("GET", "/runs/{id}/\(name)", try server.get("/runs/x/\(name)"), 404)
            record("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)", ["Range: bytes=1-"]), 206)
            record("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)", ["Range: bytes=99-"]), 416)
            record("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)", ["If-None-Match: *"]), 304)
            record("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)?follow=true"), 200)
            record("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)?follow=1"), 400)
        }
        record("GET", "/runs/{id}/events", try server.get("/runs/\(run)/events"), 200)
        record("GET", "/runs/{id}/events", try server.get("/runs/\(run)/events", ["Last-Event-ID: 4-5-end"]), 204)
        record("GET", "/runs/{id}/events", try server.get("/runs/\(run)/events", ["Last-Event-ID: x"]), 400)
        record("GET", "/runs/{id}/events", try server.get("/runs/x/events"), 404)
        let keeping = try server.shell("echo x > f; ln -s f link", ["artifacts": ["*", "none"]]).id
        record("GET", "/runs/{id}", try server.get("/runs/\(keeping)"), 200)
        let (file, archive) = ("/runs/{id}/artifacts/{path}", "/runs/{id}/artifacts.tar")
        record("GET", file, try server.get("/runs/\(keeping)/artifacts/f"), 200)
        record("GET", file, try server.get("/runs/\(keeping)/artifacts/f", ["Range: bytes=1-"]), 206)
        record("GET", file, try server.get("/runs/\(keeping)/artifacts/f", ["Range: bytes=9-"]), 416)
        record("GET", file, try server.get("/runs/\(keeping)/artifacts/f", ["If-None-Match: *"]), 304)
        record("GET", file, try server.get("/runs/\(keeping)/artifacts/none"), 404)
        record("GET", archive, try server.get("/runs/\(keeping)/artifacts.tar"), 200)
        record("GET", archive, try server.get("/runs/x/artifacts.tar"), 404)
        record("GET", "/runs/{id}", try server.get("/runs/x"), 404)
        record("GET", "/runs/{id}", try server.get("/runs/\(run)", ["If-None-Match: *"]), 304)
        let running = try server.submit(["sleep", "60"]).id
        try #require(eventually { (try? server.get("/runs/\(running)").run().state) == "running" })
        record("GET", "/runs/{id}", try server.get("/runs/\(running)"), 200)
        let queued = try server.post(#"{"command":["true"]}"#, ["Prefer: wait=0"])
        record("POST", "/runs", queued, 202)
        record("GET", "/runs/{id}", try server.get("/runs/\(queued.run().id)"), 200)
        record("POST", "/runs", try server.post(#"{"command":["true"]}"#), 503)
        record("GET", file, try server.get("/runs/\(running)/artifacts/f"), 409)
        record("GET", archive, try server.get("/runs/\(running)/artifacts.tar"), 409)
        record("DELETE", "/runs/{id}", try server.send("DELETE", "/runs/\(running)"), 409)
        // The queued run first, because it would start once the other one ends.
        for id in try [queued.run().id, running] {
            record("POST", "/runs/{id}/cancel", try server.send("POST", "/runs/\(id)/cancel"), 202)
            _ = try server.finished(id)
            record("POST", "/runs/{id}/cancel", try server.send("POST", "/runs/\(id)/cancel"), 200)
        }
        record("GET", "/runs", try server.get("/runs"), 200)
        record("POST", "/runs/{id}/cancel", try server.send("POST", "/runs/x/cancel"), 404)
        record("POST", "/runs/{id}/rerun", try server.send("POST", "/runs/\(run)/rerun?wait=60"), 201)
        record("POST", "/runs/{id}/rerun", try server.send("POST", "/runs/\(run)/rerun"), 202)
        record("POST", "/runs/{id}/rerun", try server.send("POST", "/runs/x/rerun"), 404)
        record("DELETE", "/runs/{id}", try server.send("DELETE", "/runs/\(run)"), 204)
        record("DELETE", "/runs/{id}", try server.send("DELETE", "/runs/\(run)"), 404)
        return responses
    }

    // MARK: The validator

    private static let hasValidator: Bool = {
        guard let child = try? ChildProcess(python + ["-c", "import jsonschema, referencing"]) else { return false }
        return (try? child.wait()) == .exited(0)
    }()

    private static let python = ["python3", "-B"]

    /// Returns the differences between the schemas on one side, and the responses and examples on the other.
    private static func differences(_ server: ServerProcess, _ responses: [DescribedResponse]) throws -> String {
        let directory = try TemporaryDirectory()
        try directory.write("document", server.get("/openapi.json").text, mode: 0o600)
        let json = try JSONSerialization.data(withJSONObject: responses.map { try $0.json })
        try directory.write("responses", String(decoding: json, as: UTF8.self), mode: 0o600)
        let script = Host.repositoryPath("Harnesses/fuzz/conforms.py")
        let child = try ChildProcess(python + [script, directory.path + "/document", directory.path + "/responses"])
        let finished = try child.finish()
        return finished.text + finished.diagnostics
    }

    private func object(_ body: [UInt8]) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
    }
}

/// A response with its operation.
private struct DescribedResponse {
    let method: String
    let path: String
    var response: HTTPResponse

    init(_ method: String, _ path: String, _ response: HTTPResponse) {
        (self.method, self.path, self.response) = (method, path, response)
    }

    var operation: String { "\(method) \(path)" }

    var json: [String: Any] {
        get throws {
            let isJSON = response.headers["content-type"]?.hasSuffix("json") ?? false
            let body = isJSON ? try JSONSerialization.jsonObject(with: Data(response.body)) : NSNull()
            return [
                "method": method, "path": path, "status": response.status, "headers": response.headers, "body": body,
            ]
        }
    }
}

/// A server's OpenAPI document.
private struct Document {
    private let root: Any

    init(_ server: ServerProcess) throws {
        root = try JSONSerialization.jsonObject(with: Data(server.get("/openapi.json").body))
    }

    /// Returns the value at a path of member names.
    ///
    /// References are followed.
    subscript(path: String...) -> Any? { self[path] }

    subscript(path: [String]) -> Any? {
        var value: Any? = root
        for name in path {
            value = (value as? [String: Any])?[name]
            if let reference = (value as? [String: Any])?["$ref"] as? String {
                value = self[reference.split(separator: "/").dropFirst().map(String.init)]
            }
        }
        return value
    }

    /// Returns the allowed values of a member of `POST /runs`.
    func choices(_ member: String) -> [String]? {
        self["components", "schemas", "RunRequest", "properties", member, "enum"] as? [String]
    }

    /// The number of operations.
    var operations: Int {
        (self["paths"] as? [String: [String: Any]] ?? [:]).values.reduce(0) { $0 + $1.count }
    }
}
