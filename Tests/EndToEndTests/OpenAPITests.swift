import Foundation
import Glibc
import Testing

/// `GET /openapi.json`: what it says is what the server does.
struct OpenAPITests {
    @Test func `the document is served, and not again to those who have it`() throws {
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
            let head = try client.answer(toHead: true)
            #expect(head.status == 200)
            #expect(head.headers["content-length"] == "\(whole.body.count)")
            try #expect(client.health() == 200)
        }
    }

    @Test func `no page of another origin may read the document`() throws {
        try withServer { server in
            let answer = try server.get("/openapi.json", ["Host: localhost", "Origin: http://evil.example"])
            #expect(answer.status == 403)
            try #expect(server.get("/openapi.json").headers["access-control-allow-origin"] == nil)
        }
    }

    @Test func `whoever has an answer already is told just that, wherever there is a tag`() throws {
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

    @Test func `the document is of this very server`() throws {
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

    @Test func `each example of a request does what the example of its answer says`() throws {
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
                let answer = try server.post(
                    Array(JSONSerialization.data(withJSONObject: body)),
                    query: "?wait=60",
                    ["Idempotency-Key: \(name)"]
                )
                try #require(answer.status == 201, "\(name): \(answer.text)")
                let told = document[operation + ["responses", "201", "content", media, "examples", name, "value"]]
                let expected = try JSONDecoder().decode(
                    RunReply.self,
                    from: JSONSerialization.data(withJSONObject: #require(told, "\(name)"))
                )
                let run = try answer.run()
                #expect(run.end == expected.end, "\(name)")
                #expect(run.stdout == expected.stdout, "\(name)")
                #expect(run.stderr == expected.stderr, "\(name)")
                #expect(run.command == expected.command && run.labels == expected.labels, "\(name)")
                #expect(run.limits.memoryBytes == expected.limits.memoryBytes, "\(name)")
            }
        }
    }

    @Test(.enabled(if: Self.hasValidator, "python3 has no jsonschema"))
    func `the document's examples and the server's answers are as its schemas say`() throws {
        try withServer("--concurrency", "1", "--queue-limit", "1") { server in
            let answers = try Self.answers(of: server)
            #expect(Set(answers.map(\.operation)).count == (try Document(server).operations))
            let differences = try Self.differences(server, answers)
            #expect(differences.isEmpty, "\(differences)")
        }
    }

    @Test(.enabled(if: Self.hasValidator, "python3 has no jsonschema"))
    func `an answer that the document does not describe is found`() throws {
        try withServer { server in
            var answer = try DescribedAnswer("GET", "/runs/{id}", server.get("/runs/\(server.run(["true"]).id)"))
            try #expect(Self.differences(server, [answer]) == "")
            let text = answer.answer.text
            answer.answer.body = Array(text.replacing("\"state\":", with: "\"surprise\":1,\"state\":").utf8)
            try #expect(Self.differences(server, [answer]).contains("surprise"))
            answer.answer.body = Array(text.replacing("\"outcome\":\"exited\"", with: "\"outcome\":null").utf8)
            try #expect(!Self.differences(server, [answer]).isEmpty)
            answer = DescribedAnswer("DELETE", "/runs/{id}", try server.get("/runs"))
            try #expect(Self.differences(server, [answer]).contains("the status is not described"))
        }
    }

    // MARK: Answers

    /// One answer at least of each operation, and of each error that is easy to have.
    private static func answers(of server: ServerProcess) throws -> [DescribedAnswer] {
        var answers: [DescribedAnswer] = []
        func note(_ method: String, _ path: String, _ answer: HTTPAnswer, _ status: Int) {
            #expect(answer.status == status, "\(method) \(path): \(answer.text)")
            answers.append(DescribedAnswer(method, path, answer))
        }
        for path in ["/capabilities", "/healthz", "/readyz", "/openapi.json"] {
            note("GET", path, try server.get(path), 200)
            note("GET", path, try server.get(path, ["If-None-Match: *"]), 304)
            note("GET", path, try server.get(path, ["Host: evil.example"]), 421)
            note("GET", path, try server.get(path + "?x=1"), 400)
        }
        note("GET", "/metrics", try server.get("/metrics"), 200)
        note("GET", "/metrics", try server.get("/metrics?x=1"), 400)
        let hello = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        let (blob, name) = ("/blobs/sha256:{hex}", "/blobs/sha256:\(hello)")
        for (status, body) in [(422, "other"), (201, "hello\n"), (204, "hello\n")] {
            let client = try server.client()
            try client.request("PUT", name, body: Array(body.utf8))
            note("PUT", blob, try client.answer(), status)
        }
        note("PUT", blob, try server.send("PUT", "/blobs/sha256:x"), 400)
        note("GET", blob, try server.get(name), 200)
        note("GET", blob, try server.get(name, ["If-None-Match: *"]), 304)
        note("GET", blob, try server.get(name, ["Range: bytes=1-3"]), 206)
        note("GET", blob, try server.get(name, ["Range: bytes=9-"]), 416)
        note("GET", blob, try server.get("/blobs/sha256:" + String(repeating: "0", count: 64)), 404)
        note("GET", blob, try server.get("/blobs/sha256:x"), 400)
        let run = try server.run(["sh", "-c", "echo out; echo oops >&2"], ["labels": ["a": "b"]]).id
        for (command, members) in [
            (["sh", "-c", "kill -SEGV $$"], [:]), (["no-such-program"], [:]),
            (["sleep", "9"], ["timeoutSeconds": 0.05]),
            (["sh", "-c", "head -c 1100000 /dev/zero | tr '\\0' x"], ["limits": ["outputBytes": 2_000_000]]),
            (["printf", "\\377"], [:]), (["true"], ["cache": true]), (["true"], ["cache": true]),
        ] as [([String], [String: Any])] {
            let answer = try server.post(ServerProcess.body(command, members), query: "?wait=60", ["Prefer: wait=1"])
            note("POST", "/runs", answer, 201)
            note("GET", "/runs/{id}", try server.get("/runs/\(answer.run().id)", ["Prefer: wait=1"]), 200)
        }
        note("POST", "/runs", try server.post("{}"), 422)
        note("POST", "/runs", try server.post("{"), 400)
        note("POST", "/runs", try server.post("{}", ["Idempotency-Key: \"é\""]), 400)
        note("POST", "/runs", try server.post("{}", ["Origin: http://evil.example"]), 403)
        note("POST", "/runs", try server.send("POST", "/runs"), 415)
        note("GET", "/runs", try server.get("/runs?limit=1"), 200)
        note("GET", "/runs", try server.get("/runs?limit=0"), 400)
        note("GET", "/runs", try server.get("/runs?label=" + String(repeating: "x", count: 9000)), 414)
        note("GET", "/runs", try server.get("/runs", ["X: " + String(repeating: "x", count: 20000)]), 431)
        note("GET", "/runs", try server.send("PUT", "/runs"), 405)
        for name in ["stdout", "stderr"] {
            note("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)"), 200)
            note("GET", "/runs/{id}/\(name)", try server.get("/runs/x/\(name)"), 404)
            note("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)", ["Range: bytes=1-"]), 206)
            note("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)", ["Range: bytes=99-"]), 416)
            note("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)", ["If-None-Match: *"]), 304)
            note("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)?follow=true"), 200)
            note("GET", "/runs/{id}/\(name)", try server.get("/runs/\(run)/\(name)?follow=1"), 400)
        }
        note("GET", "/runs/{id}/events", try server.get("/runs/\(run)/events"), 200)
        note("GET", "/runs/{id}/events", try server.get("/runs/\(run)/events", ["Last-Event-ID: 4-5-end"]), 204)
        note("GET", "/runs/{id}/events", try server.get("/runs/\(run)/events", ["Last-Event-ID: x"]), 400)
        note("GET", "/runs/{id}/events", try server.get("/runs/x/events"), 404)
        let keeping = try server.shell("echo x > f; ln -s f link", ["artifacts": ["*", "none"]]).id
        note("GET", "/runs/{id}", try server.get("/runs/\(keeping)"), 200)
        let (file, archive) = ("/runs/{id}/artifacts/{path}", "/runs/{id}/artifacts.tar")
        note("GET", file, try server.get("/runs/\(keeping)/artifacts/f"), 200)
        note("GET", file, try server.get("/runs/\(keeping)/artifacts/f", ["Range: bytes=1-"]), 206)
        note("GET", file, try server.get("/runs/\(keeping)/artifacts/f", ["Range: bytes=9-"]), 416)
        note("GET", file, try server.get("/runs/\(keeping)/artifacts/f", ["If-None-Match: *"]), 304)
        note("GET", file, try server.get("/runs/\(keeping)/artifacts/none"), 404)
        note("GET", archive, try server.get("/runs/\(keeping)/artifacts.tar"), 200)
        note("GET", archive, try server.get("/runs/x/artifacts.tar"), 404)
        note("GET", "/runs/{id}", try server.get("/runs/x"), 404)
        note("GET", "/runs/{id}", try server.get("/runs/\(run)", ["If-None-Match: *"]), 304)
        let running = try server.submit(["sleep", "60"]).id
        try #require(eventually { (try? server.get("/runs/\(running)").run().state) == "running" })
        note("GET", "/runs/{id}", try server.get("/runs/\(running)"), 200)
        let queued = try server.post(#"{"command":["true"]}"#, ["Prefer: wait=0"])
        note("POST", "/runs", queued, 202)
        note("GET", "/runs/{id}", try server.get("/runs/\(queued.run().id)"), 200)
        note("POST", "/runs", try server.post(#"{"command":["true"]}"#), 503)
        note("GET", file, try server.get("/runs/\(running)/artifacts/f"), 409)
        note("GET", archive, try server.get("/runs/\(running)/artifacts.tar"), 409)
        note("DELETE", "/runs/{id}", try server.send("DELETE", "/runs/\(running)"), 409)
        // The one that waits first: it would run as soon as it could.
        for id in try [queued.run().id, running] {
            note("POST", "/runs/{id}/cancel", try server.send("POST", "/runs/\(id)/cancel"), 202)
            _ = try server.finished(id)
            note("POST", "/runs/{id}/cancel", try server.send("POST", "/runs/\(id)/cancel"), 200)
        }
        note("GET", "/runs", try server.get("/runs"), 200)
        note("POST", "/runs/{id}/cancel", try server.send("POST", "/runs/x/cancel"), 404)
        note("DELETE", "/runs/{id}", try server.send("DELETE", "/runs/\(run)"), 204)
        note("DELETE", "/runs/{id}", try server.send("DELETE", "/runs/\(run)"), 404)
        return answers
    }

    // MARK: The validator

    private static let hasValidator: Bool = {
        guard let child = try? ChildProcess(python + ["-c", "import jsonschema, referencing"]) else { return false }
        return (try? child.wait()) == .exited(0)
    }()

    private static let python = ["python3", "-B"]

    /// How answers, and the document's examples, differ from what the document says.
    private static func differences(_ server: ServerProcess, _ answers: [DescribedAnswer]) throws -> String {
        let folder = try TemporaryFolder()
        try folder.write("document", server.get("/openapi.json").text, mode: 0o600)
        let json = try JSONSerialization.data(withJSONObject: answers.map { try $0.json })
        try folder.write("answers", String(decoding: json, as: UTF8.self), mode: 0o600)
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../fuzz/conforms.py").path()
        let child = try ChildProcess(python + [script, folder.path + "/document", folder.path + "/answers"])
        let finished = try child.finish()
        return finished.text + finished.diagnostics
    }

    private func object(_ body: [UInt8]) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
    }
}

/// An answer, and what of the document it belongs to.
private struct DescribedAnswer {
    let method: String
    let path: String
    var answer: HTTPAnswer

    init(_ method: String, _ path: String, _ answer: HTTPAnswer) {
        (self.method, self.path, self.answer) = (method, path, answer)
    }

    var operation: String { "\(method) \(path)" }

    var json: [String: Any] {
        get throws {
            let isJSON = answer.headers["content-type"]?.hasSuffix("json") ?? false
            let body = isJSON ? try JSONSerialization.jsonObject(with: Data(answer.body)) : NSNull()
            return [
                "method": method, "path": path, "status": answer.status, "headers": answer.headers, "body": body,
            ]
        }
    }
}

/// The document as a server sends it.
private struct Document {
    private let root: Any

    init(_ server: ServerProcess) throws {
        root = try JSONSerialization.jsonObject(with: Data(server.get("/openapi.json").body))
    }

    /// What stands at the end of these names; references are followed.
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

    /// What a member of a body of `POST /runs` may be.
    func choices(_ member: String) -> [String]? {
        self["components", "schemas", "RunRequest", "properties", member, "enum"] as? [String]
    }

    /// How many there are.
    var operations: Int {
        (self["paths"] as? [String: [String: Any]] ?? [:]).values.reduce(0) { $0 + $1.count }
    }
}
