import Foundation
import Glibc
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

    @Test func `status --wait waits for the end of a run`() throws {
        // This server does not let requests wait, so the client repeats its request.
        try withServer("--max-wait-seconds", "0") { server in
            let run = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            let client = try ClientProgram.start("status", at: server.url, ["--json", "--wait", "60", run.id])
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
            for command in ["status", "logs", "cancel"] {
                let finished = try ClientProgram.run(command, at: server.url, [missing])
                #expect(finished.end == .exited(1))
                #expect(
                    finished.diagnostics.hasPrefix("sandglass: The server responded with status 404"),
                    "\(finished.diagnostics)"
                )
                #expect(try ClientProgram.run(command, at: server.url, ["../healthz"]).end == .exited(64))
            }
            let run = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            #expect(try ClientProgram.run("cancel", at: server.url, [missing, run.id]).end == .exited(1))
            #expect(try server.finished(run).outcome == "cancelled")
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
            #expect(try ClientProgram.run("list", at: server.url, ["--outcome", "nonsense"]).end == .exited(1))
        }
    }
}
