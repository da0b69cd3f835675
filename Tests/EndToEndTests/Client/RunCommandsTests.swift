import Foundation
import Glibc
import TestSupport
import Testing

/// `sandglass status`, `logs`, `cancel` and `list`.
struct RunCommandsTests {
    @Test func `status prints a run as text and as JSON`() throws {
        try withServer { server in
            let run = try server.shell("echo out; exit 3", ["labels": ["branch": "main"]])
            let text = try ClientProgram.run("status", at: server.url, [run.id])
            #expect(text.end == .exited(0))
            for line in [
                "id           \(run.id)", "state        finished", "outcome      exited, exit code 3",
                "label        branch=main",
            ] {
                #expect(text.text.split(separator: "\n").contains(Substring(line)), "\(line)\n\(text.text)")
            }
            let json = try ClientProgram.run("status", at: server.url, ["--json", run.id])
            #expect(try json.output == server.get("/runs/\(run.id)").body)
        }
    }

    @Test func `status counts a single byte in the singular`() throws {
        try withServer { server in
            let run = try server.shell("printf a; printf ab >&2; printf c >c", ["artifacts": ["*"]])
            let lines = try ClientProgram.run("status", at: server.url, [run.id]).text.split(separator: "\n")
            for line in ["stdout       1 byte", "stderr       2 bytes", "artifact     c (1 byte)"] {
                #expect(lines.contains(Substring(line)), "\(lines)")
            }
        }
    }

    @Test func `status --wait waits for the end of a run`() throws {
        // This server does not let requests wait, so the client repeats its request.
        try withServer("--max-wait-seconds", "0") { server in
            let run = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            let client = try ClientProgram.start("status", at: server.url, ["--json", "--wait", "60", run.id])
            try #require(eventually { try server.get("/runs/\(run.id)").run().state == "running" })
            #expect(try ClientProgram.run("status", at: server.url, [run.id]).text.contains("running"))
            #expect(try ClientProgram.run("cancel", at: server.url, [run.id]).end == .exited(0))
            let finished = try client.finish()
            #expect(finished.end == .exited(0))
            #expect(try JSONDecoder().decode(RunDocument.self, from: Data(finished.output)).outcome == "cancelled")
        }
    }

    @Test func `logs prints one or both streams of finished and running runs`() throws {
        try withServer { server in
            let done = try server.shell("echo a; echo b >&2; printf 'c\\377'")
            let both = try ClientProgram.run("logs", at: server.url, [done.id])
            #expect(both.end == .exited(0))
            #expect(both.output == Array("a\nc".utf8) + [255])
            #expect(both.diagnostics == "b\n")
            let one = try ClientProgram.run("logs", at: server.url, ["--stream", "stderr", done.id])
            #expect(one.output.isEmpty && one.diagnostics == "b\n")

            let live = try server.submit(["/bin/sh", "-c", "seq 5000; sleep 600"], ["timeoutSeconds": 600])
            let sequence = (1...5000).map { "\($0)\n" }.joined()
            try #require(eventually { try server.get("/runs/\(live.id)/stdout").text == sequence })
            // The command does not wait for more output.
            #expect(try ClientProgram.run("logs", at: server.url, [live.id]).text == sequence)
            let client = try ClientProgram.start("logs", at: server.url, ["--follow", live.id])
            for number in 1...5000 { #expect(try client.readOutputLine() == "\(number)") }
            _ = try server.send("POST", "/runs/\(live.id)/cancel")
            #expect(try client.finish().end == .exited(0))
            let silent = try server.run(["true"])
            #expect(try ClientProgram.run("logs", at: server.url, [silent.id]).end == .exited(0))
        }
    }

    @Test func `a signal ends logs and not the run`() throws {
        try withServer { server in
            let run = try server.submit(["/bin/sh", "-c", "echo a; sleep 600"], ["timeoutSeconds": 600])
            let client = try ClientProgram.start("logs", at: server.url, ["--follow", run.id])
            #expect(try client.readOutputLine() == "a")
            client.send(signal: SIGINT)
            #expect(try client.finish().end == .exited(130))
            #expect(try server.get("/runs/\(run.id)").run().state == "running")
            _ = try server.send("POST", "/runs/\(run.id)/cancel")
        }
    }

    @Test func `an unknown id is reported, and cancel continues with the others`() throws {
        try withServer { server in
            let missing = "01M82SD0SKBQ831DSGRR58G3G2"
            for command in ["status", "logs", "cancel", "fetch", "rm"] {
                let finished = try ClientProgram.run(command, at: server.url, [missing])
                #expect(finished.end == .exited(1))
                #expect(
                    finished.diagnostics.hasPrefix(
                        "sandglass: There is no run \(missing) on the server \(server.url)."
                    ),
                    "\(finished.diagnostics)"
                )
                #expect(try ClientProgram.run(command, at: server.url, ["../healthz"]).end == .exited(64))
            }
            let run = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            #expect(try ClientProgram.run("cancel", at: server.url, [missing, run.id]).end == .exited(1))
            #expect(try server.finished(run).outcome == "cancelled")
        }
    }

    @Test func `fetch downloads the artifacts of a finished run`() throws {
        try withServer { server in
            let script =
                "mkdir -p out .git; echo a >out/a; echo b >b.txt; chmod +x b.txt; echo h >.git/h; echo t >out/.t"
            let run = try server.shell(script, ["artifacts": ["**", ".git/**", "out/.t"]])
            let directory = try TemporaryDirectory()
            func fetch(_ options: [String], to name: String) throws -> (ChildProcess.Finished, [String]) {
                let path = directory.path + "/" + name
                let all = ["--output-directory", path] + options + [run.id]
                let finished = try ClientProgram.run("fetch", at: server.url, all)
                return (finished, (try? FileManager.default.subpathsOfDirectory(atPath: path).sorted()) ?? [])
            }
            let (all, files) = try fetch([], to: "all")
            #expect(all.end == .exited(0), "\(all.diagnostics)")
            #expect(files == ["b.txt", "out", "out/a"])
            #expect(all.diagnostics.contains(".git/h begins with a dot") && all.diagnostics.contains("out/.t"))
            #expect(try String(contentsOfFile: directory.path + "/all/out/a", encoding: .utf8) == "a\n")
            #expect(access(directory.path + "/all/b.txt", X_OK) == 0)
            #expect(
                try fetch(["--artifact", "*.txt", "--artifact", ".git/*"], to: "some").1 == [".git", ".git/h", "b.txt"]
            )
            let (none, nothing) = try fetch(["--artifact", "*.c"], to: "none")
            #expect(none.end == .exited(1) && nothing.isEmpty)
            #expect(try fetch(["--artifact", "/a"], to: "none").0.end == .exited(64))
            let empty = try server.run(["true"])
            #expect(try ClientProgram.run("fetch", at: server.url, [empty.id]).diagnostics.contains("has no artifacts"))
            let live = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            let early = try ClientProgram.run("fetch", at: server.url, [live.id])
            #expect(early.end == .exited(1) && early.diagnostics.contains("is not finished"))
        }
    }

    @Test func `rm deletes finished runs and continues with the others`() throws {
        try withServer { server in
            let runs = try (0..<3).map { _ in try server.run(["true"]).id }
            let live = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            #expect(try ClientProgram.run("rm", at: server.url, [runs[0]]).end == .exited(0))
            let finished = try ClientProgram.run("rm", at: server.url, [runs[0], live.id, runs[1], runs[2]])
            #expect(finished.end == .exited(1))
            #expect(finished.diagnostics.contains("There is no run \(runs[0])"))
            #expect(finished.diagnostics.contains("Run \(live.id) is not finished"))
            #expect(try server.runs().map(\.id) == [live.id])
        }
    }

    @Test func `list prints the newest runs first and applies filters`() throws {
        try withServer { server in
            for number in 0..<230 {
                let response = try server.post(
                    ServerProcess.body(
                        ["true"],
                        ["labels": ["parity": number % 2 == 0 ? "even" : "odd", "n": "\(number)"]]
                    )
                )
                try #require(response.status == 202)
            }
            try #require(eventually { try server.runs("&state=finished").count == 230 })
            let ids = try server.runs().map(\.id)
            func list(_ options: [String]) throws -> [Substring] {
                let finished = try ClientProgram.run("list", at: server.url, options)
                #expect(finished.end == .exited(0), "\(finished.diagnostics)")
                return finished.text.split(separator: "\n")
            }
            func listed(_ options: [String]) throws -> [String] {
                try list(options).dropFirst().map { String($0.prefix(26)) }
            }
            #expect(try listed([]) == Array(ids.prefix(100)))
            #expect(try listed(["--limit", "1000"]) == ids)
            #expect(try listed(["--limit", "205"]) == Array(ids.prefix(205)))
            #expect(try listed(["--label", "parity=odd", "--limit", "1000"]).count == 115)
            #expect(try listed(["--label", "n=7"]).count == 1)
            #expect(try listed(["--outcome", "timed_out"]).isEmpty)
            let documents = try list(["--json", "--state", "finished", "--limit", "3"])
            let read = try documents.map { try JSONDecoder().decode(RunPage.Run.self, from: Data($0.utf8)) }
            #expect(read.map(\.id) == Array(ids.prefix(3)))
        }
    }

    @Test(arguments: [
        (["--state", "nope"], "queued, running or finished"), (["--state", "Queued"], "queued, running or finished"),
        (["--outcome", "nope"], "exited, signaled, timed_out"), (["--outcome", ""], "exited, signaled, timed_out"),
        (["--label", "nope"], "KEY=VALUE"), (["--label", "=a"], "KEY=VALUE"), (["--label", "a:b=c"], "colon"),
        (["--limit", "0"], "at least 1"), (["--limit", "-1"], "--limit"), (["--limit", "nope"], "--limit"),
    ])
    func `an invalid filter of list is a usage error without output`(options: [String], text: String) throws {
        // Nothing listens on this port, so a request would fail with another status.
        let finished = try ClientProgram.run("list", at: "http://127.0.0.1:1", options)
        #expect(finished.end == .exited(64))
        #expect(finished.output.isEmpty)
        #expect(finished.diagnostics.contains(text), "\(finished.diagnostics)")
    }

    @Test func `list prints no head if the request fails`() throws {
        let finished = try ClientProgram.run("list", at: "http://127.0.0.1:1")
        #expect(finished.end == .exited(1))
        #expect(finished.output.isEmpty)
    }
}
