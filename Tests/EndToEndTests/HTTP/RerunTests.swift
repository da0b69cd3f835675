import Foundation
import Glibc
import TestSupport
import Testing

/// The record of what a run was asked to do and by whom, and `POST /runs/{id}/rerun`.
struct RerunTests {
    private func bearer(_ token: String) -> [String] { ["Authorization: Bearer \(token)"] }

    private func member(_ response: HTTPResponse, _ name: String) throws -> Any? {
        let object = try JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any]
        return try #require(object)[name]
    }

    private static let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

    private static var request: [String: Any] {
        [
            "env": ["SECRET": "w0rd"], "stdin": "input", "workingDirectory": "/tmp", "graceSeconds": 1.5,
            "onOutputLimit": "kill", "keepOutput": "tail", "artifacts": ["out/*", "**/*.o"], "labels": ["a": "b"],
            "files": [
                "hello": "hello", "run.sh": ["text": "echo", "executable": true] as [String: Any],
                "empty": ["directory": true], "link": ["symlink": "hello"],
            ] as [String: Any],
        ]
    }

    private static let script = """
        cat; cat /box/hello /box/link; test -x /box/run.sh && echo $SECRET; pwd; mkdir /box/out; echo 1 >/box/out/a
        """

    @Test func `a run tells what was asked, also after a restart`() throws {
        let data = try TemporaryDataDirectory()
        var server = try data.server()
        let run = try server.shell(Self.script, Self.request)
        #expect(run.end == .exited(0))
        for restarts in [false, true] {
            if restarts {
                try server.kill()
                server = try data.server()
            }
            let response = try server.get("/runs/\(run.id)")
            func text(_ name: String) throws -> String? { try member(response, name) as? String }
            #expect(try text("image") == "host")
            #expect(try text("network") == "none")
            #expect(try text("workingDirectory") == "/tmp")
            #expect(try text("onOutputLimit") == "kill")
            #expect(try text("keepOutput") == "tail")
            #expect(try member(response, "graceSeconds") as? Double == 1.5)
            #expect(try member(response, "artifactPatterns") as? [String] == ["out/*", "**/*.o"])
            #expect(try member(response, "principal") is NSNull)
            #expect(try member(response, "env") == nil && member(response, "stdin") == nil)
            let files = try #require(try member(response, "files") as? [[String: Any]])
            let byPath = Dictionary(uniqueKeysWithValues: files.map { ($0["path"] as? String ?? "", $0) })
            #expect(byPath.keys.sorted() == ["empty", "hello", "link", "run.sh"])
            #expect(byPath["hello"]?["bytes"] as? Int == 5)
            #expect(byPath["hello"]?["sha256"] as? String == Self.hello)
            #expect(byPath["hello"]?["executable"] as? Bool == false)
            #expect(byPath["run.sh"]?["executable"] as? Bool == true)
            #expect(byPath["link"]?["symlink"] as? String == "hello")
            #expect(byPath["empty"]?["directory"] as? Bool == true)
        }
        // A plain run has no members for what it did not ask.
        let plain = try server.get("/runs/\(server.shell("true").id)")
        for name in ["graceSeconds", "onOutputLimit", "keepOutput", "artifactPatterns", "files"] {
            #expect(try member(plain, name) == nil, "\(name)")
        }
    }

    @Test func `files of blobs and archives have their sizes`() throws {
        try withServer { server in
            try #expect(server.send("PUT", "/blobs/sha256:\(Self.hello)", [], body: Array("hello".utf8)).status == 201)
            let blob = ["blob": "sha256:\(Self.hello)"]
            let run = try server.shell("cat /box/a", ["files": ["a": blob]])
            #expect(run.stdout.text == "hello")
            let files = try #require(try member(server.get("/runs/\(run.id)"), "files") as? [[String: Any]])
            #expect(files.first?["bytes"] as? Int == 5)
            #expect(files.first?["sha256"] as? String == Self.hello)
        }
    }

    @Test func `a rerun repeats the whole request, also after a restart`() throws {
        let data = try TemporaryDataDirectory()
        var server = try data.server()
        let run = try server.shell(Self.script, Self.request)
        #expect(run.stdout.text == "inputhellohellow0rd\n/tmp\n")
        for restarts in [false, true] {
            if restarts {
                try server.kill()
                server = try data.server()
            }
            let response = try server.send("POST", "/runs/\(run.id)/rerun?wait=60")
            #expect(response.status == 201, "\(response.text)")
            let again = try response.run()
            #expect(response.headers["location"]?.hasSuffix("/runs/\(again.id)") == true)
            #expect(again.id != run.id)
            #expect(again.stdout == run.stdout)
            #expect(again.labels == run.labels && again.limits == run.limits && again.command == run.command)
            #expect(again.artifacts == run.artifacts)
            #expect(try member(response, "artifactPatterns") as? [String] == ["out/*", "**/*.o"])
            // The record of the rerun is complete as well.
            let third = try server.send("POST", "/runs/\(again.id)/rerun", ["Prefer: wait=60"])
            #expect(try third.run().stdout == run.stdout)
        }
    }

    @Test func `a plain run and a run in progress can be repeated`() throws {
        try withServer { server in
            let plain = try server.run(["echo", "hello"], ["limits": ["processes": 7]])
            let again = try server.send("POST", "/runs/\(plain.id)/rerun?wait=60").run()
            #expect(again.stdout.text == "hello\n" && again.limits.processes == 7)
            let running = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            let response = try server.send("POST", "/runs/\(running.id)/rerun")
            #expect(response.status == 202)
            #expect(try response.run().limits.timeoutSeconds == 600)
        }
    }

    @Test func `a repeated rerun with the same key creates one run`() throws {
        try withServer { server in
            let run = try server.run(["true"])
            let other = try server.run(["true"])
            let key = ["Idempotency-Key: one"]
            let first = try server.send("POST", "/runs/\(run.id)/rerun", key).run().id
            #expect(try server.send("POST", "/runs/\(run.id)/rerun", key).run().id == first)
            #expect(try server.send("POST", "/runs/\(other.id)/rerun", key).status == 422)
        }
    }

    @Test func `a rerun whose input is gone is a conflict`() throws {
        let data = try TemporaryDataDirectory()
        // There is room for one blob, and another one replaces it after a second.
        let server = try data.server("--blob-bytes", "4096", "--keep-blobs-for", "1")
        try #expect(server.send("PUT", "/blobs/sha256:\(Self.hello)", [], body: Array("hello".utf8)).status == 201)
        let run = try server.shell("cat /box/a", ["files": ["a": ["blob": "sha256:\(Self.hello)"]]])
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        try #require(eventually { try server.send("PUT", "/blobs/sha256:\(empty)", [], body: []).status == 201 })
        let response = try server.send("POST", "/runs/\(run.id)/rerun")
        #expect(response.status == 409)
        #expect(try response.problem().detail.contains("sha256:\(Self.hello)"))
    }

    @Test func `a rerun beyond lowered maxima is refused with its faults`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let run = try first.run(["true"], ["limits": ["memoryBytes": 600 << 20, "processes": 400], "graceSeconds": 1])
        try first.stop()
        let second = try data.server("--max-memory-bytes", "512M", "--max-processes", "10")
        let response = try second.send("POST", "/runs/\(run.id)/rerun")
        #expect(response.status == 422)
        let pointers = try response.problem().errors?.map(\.pointer)
        #expect(pointers == ["/limits/memoryBytes", "/limits/processes"])
    }

    @Test func `unknown runs cannot be repeated`() throws {
        try withServer { server in
            for id in ["01JDA6Z8Q4X1S9V7T2M3N5P6R8", "x"] {
                try #expect(server.send("POST", "/runs/\(id)/rerun").status == 404)
            }
            try #expect(server.get("/runs/01JDA6Z8Q4X1S9V7T2M3N5P6R8/rerun").status == 405)
        }
    }

    // MARK: Principals

    @Test func `a run names its principal, and only those who see it repeat it`() throws {
        let tokens = try TokenDirectory()
        let (ann, bob) = (try tokens.add("ann"), try tokens.add("bob"))
        let admin = try tokens.add("root", "--role", "admin")
        let server = try ServerProcess(["--tokens", tokens.path])
        let body = #"{"command": ["sleep", "600"], "timeoutSeconds": 600}"#
        let run = try server.post(body, bearer(ann)).run()
        #expect(try member(server.get("/runs/\(run.id)", bearer(ann)), "principal") as? String == "ann")
        #expect(try member(server.get("/runs/\(run.id)", bearer(admin)), "principal") as? String == "ann")
        #expect(try server.send("POST", "/runs/\(run.id)/rerun", bearer(bob)).status == 404)
        // The new run belongs to the caller.
        let again = try server.send("POST", "/runs/\(run.id)/rerun", bearer(admin))
        #expect(try member(again, "principal") as? String == "root")
        #expect(try server.get("/runs/\(again.run().id)", bearer(ann)).status == 404)
        // A cancelled run tells by whom it was cancelled.
        try #expect(server.send("POST", "/runs/\(run.id)/cancel", bearer(admin)).status == 202)
        let cancelled = try server.get("/runs/\(run.id)?wait=60", bearer(ann)).run()
        #expect(cancelled.outcome == "cancelled")
        #expect(cancelled.error?.step == "cancel" && cancelled.error?.detail == "root cancelled it")
        // Listing by principal shows nobody more than before.
        func owners(_ token: String, _ query: String) throws -> [String] {
            let page = try JSONSerialization.jsonObject(with: Data(server.get("/runs\(query)", bearer(token)).body))
            let runs = (page as? [String: Any])?["runs"] as? [[String: Any]]
            return try #require(runs).map { $0["principal"] as? String ?? "" }
        }
        #expect(try owners(admin, "") == ["root", "ann"])
        #expect(try owners(admin, "?principal=ann") == ["ann"])
        #expect(try owners(admin, "?principal=nobody").isEmpty)
        #expect(try owners(ann, "?principal=ann") == ["ann"])
        #expect(try owners(ann, "?principal=root").isEmpty)
        try server.stop()
    }

    @Test func `a run that a stop cancelled tells so`() throws {
        let data = try TemporaryDataDirectory()
        for (seconds, detail) in [
            ("0", "the server stopped"),
            ("0.2", "the server stopped, and the run was not finished after --drain-seconds"),
        ] {
            let first = try data.server("--drain-seconds", seconds)
            let run = try first.submit(["sleep", "600"], ["timeoutSeconds": 600])
            try #require(eventually { try first.get("/runs/\(run.id)").run().state == "running" })
            try first.stop()
            let second = try data.server()
            let cancelled = try second.get("/runs/\(run.id)").run()
            #expect(cancelled.outcome == "cancelled")
            #expect(cancelled.error?.errno == "ECANCELED" && cancelled.error?.detail == detail)
            try second.stop()
        }
    }

    // MARK: Lists

    @Test func `runs are found by command and by time`() throws {
        try withServer { server in
            let first = try server.run(["echo", "a", "b"])
            let second = try server.run(["echo", "aé"])
            let third = try server.run(["printf", "x"])
            func ids(_ query: String) throws -> [String] { try server.get("/runs?\(query)").page().ids }
            #expect(try ids("command=echo") == [second.id, first.id])
            #expect(try ids("command=echo%20a") == [second.id, first.id])
            #expect(try ids("command=echo%20a%20b") == [first.id])
            #expect(try ids("command=echo%20a%C3%A9") == [second.id])
            #expect(try ids("command=cho").isEmpty)
            #expect(try ids("command=ECHO").isEmpty)
            #expect(try ids("command=echo&outcome=exited&limit=1") == [second.id])
            #expect(try ids("since=\(second.createdAt)") == [third.id, second.id])
            #expect(try ids("until=\(second.createdAt)") == [first.id])
            #expect(try ids("since=\(second.createdAt)&until=\(third.createdAt)&command=e") == [second.id])
            #expect(try ids("since=2100-01-01T00:00:00%2B01:00").isEmpty)
            // The link to the next page keeps the filters.
            let page = try server.get("/runs?command=echo&limit=1&since=2000-01-01T00:00:00Z")
            let link = try #require(page.headers["link"]).dropFirst().prefix { $0 != ">" }
            #expect(try server.get(String(link)).page().ids == [first.id])
            for query in [
                "command=", "command=\(String(repeating: "x", count: 257))", "since=", "since=yesterday",
                "until=2026-02-30T00:00:00Z", "since=2026-01-01", "since=2026-01-01T00:00:00",
            ] {
                #expect(try server.get("/runs?\(query)").status == 400, "\(query)")
            }
        }
    }

    // MARK: Command line

    @Test func `sandglass rerun follows the new run and fetches its artifacts`() throws {
        let directory = try TemporaryDirectory()
        try withServer { server in
            let run = try server.shell("cat; echo 1 >/box/a; exit 3", ["stdin": "in\n", "artifacts": ["a"]])
            let options = ["--output-directory", directory.path]
            let finished = try ClientProgram.run("rerun", at: server.url, options + [run.id])
            #expect(finished.end == .exited(3), "\(finished.diagnostics)")
            #expect(finished.text == "in\n")
            #expect(try String(contentsOfFile: directory.path + "/a", encoding: .utf8) == "1\n")
            let detached = try ClientProgram.run("rerun", at: server.url, ["--detach", run.id])
            let id = detached.text.trimmingCharacters(in: .newlines)
            #expect(try server.finished(id).stdout.text == "in\n")
            let unknown = try ClientProgram.run("rerun", at: server.url, ["01JDA6Z8Q4X1S9V7T2M3N5P6R8"])
            #expect(unknown.end == .exited(125))
            #expect(unknown.diagnostics.contains("no run 01JDA6Z8Q4X1S9V7T2M3N5P6R8"))
            let listed = try ClientProgram.run(
                "list",
                at: server.url,
                ["--command", "/bin/sh -c cat", "--since", "1h"]
            )
            #expect(listed.text.split(separator: "\n").count == 4)
            let none = try ClientProgram.run("list", at: server.url, ["--until", "1h"])
            #expect(none.text.split(separator: "\n").count == 1)
            let wrong = try ClientProgram.run("list", at: server.url, ["--since", "yesterday"])
            #expect(wrong.end == .exited(64))
        }
    }
}
