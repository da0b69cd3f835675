import Foundation
import Glibc
import TestSupport
import Testing

/// `sandglass submit`: exit statuses, output, options and errors.
struct SubmitTests {
    // MARK: Exit statuses

    @Test func `the exit status is the command's exit code, without a message`() throws {
        try withServer { server in
            for code in [0, 1, 7, 124, 125, 126, 127, 137, 255] {
                let finished = try ClientProgram.submit("exit \(code)", to: server.url)
                #expect(finished.end == .exited(Int32(code)))
                #expect(finished.diagnostics.isEmpty)
            }
        }
    }

    @Test func `each outcome has the exit status of timeout(1) and a message where the status is ambiguous`() throws {
        try withServer { server in
            let cases: [(script: String, options: [String], status: Int32, message: String)] = [
                ("sleep 600", ["--timeout", "0.2"], 124, "sandglass: /bin/sh: timed out\n"),
                ("kill -9 $$", [], 137, ""), ("kill -SEGV $$", [], 139, ""),
                (
                    "while :; do :; done", ["--cpu-seconds", "0.2"], 137,
                    "sandglass: /bin/sh: exceeded its CPU time limit\n"
                ),
            ]
            for (script, options, status, message) in cases {
                let finished = try ClientProgram.submit(script, to: server.url, options)
                #expect(finished.end == .exited(status), "\(script)")
                #expect(finished.diagnostics == message, "\(script)")
            }
            let missing = try ClientProgram.run("submit", at: server.url, ["--", "/no/such/program"])
            #expect(missing.end == .exited(127))
            #expect(missing.diagnostics.hasPrefix("sandglass: /no/such/program: "))
            let directory = try ClientProgram.run("submit", at: server.url, ["--", "/box"])
            #expect(directory.end == .exited(126))
        }
    }

    @Test(.enabled(if: Host.hasControlGroups, "there are no control groups of version 1"))
    func `a command beyond its memory limit exits with 137 and a message`() throws {
        try withServer { server in
            let finished = try ClientProgram.run(
                "submit",
                at: server.url,
                ["--memory-bytes", "33554432", "--", "/usr/bin/perl", "-e", "my $a = 'a' x (1 << 28)"]
            )
            #expect(finished.end == .exited(137))
            #expect(finished.diagnostics == "sandglass: /usr/bin/perl: exceeded its memory limit\n")
        }
    }

    @Test func `a run cancelled by another client exits with 125`() throws {
        try withServer { server in
            let client = try ClientProgram.start(
                "submit",
                at: server.url,
                ["--timeout", "600", "--", "/bin/sh", "-c", "echo begun; sleep 600"]
            )
            #expect(try client.readOutputLine() == "begun")
            let id = try #require(server.runs().first?.id)
            #expect(try ClientProgram.run("cancel", at: server.url, [id]).end == .exited(0))
            let finished = try client.finish()
            #expect(finished.end == .exited(125))
            #expect(finished.diagnostics == "sandglass: /bin/sh: cancelled\n")
        }
    }

    // MARK: Output

    @Test func `both streams pass through unchanged`() throws {
        try withServer { server in
            let bytes = Array(UInt8.min...UInt8.max)
            let script =
                "for (1..300) { print map { chr } 0..255; print STDERR 'e', chr 255, chr 10; "
                + "select undef, undef, undef, 0.001 if $_ % 10 == 0 }"
            let finished = try ClientProgram.run(
                "submit",
                at: server.url,
                ["--", "/usr/bin/perl", "-e", "$| = 1; \(script)"]
            )
            #expect(finished.end == .exited(0))
            #expect(finished.output == (1...300).flatMap { _ in bytes })
            #expect(finished.error == (1...300).flatMap { _ in [UInt8(ascii: "e"), 255, 10] })
        }
    }

    @Test func `four megabytes pass through unchanged`() throws {
        try withServer { server in
            let count = 4 << 20
            // Every four bytes hold their position.
            let script = "my $a = pack 'N*', 0..\((1 << 18) - 1); for (1..\(count >> 20)) { print $a }"
            let finished = try ClientProgram.run(
                "submit",
                at: server.url,
                ["--output-bytes", "\(count)", "--timeout", "60", "--", "/usr/bin/perl", "-e", script]
            )
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            try #require(finished.output.count == count)
            let block = (0..<UInt32(1 << 18)).flatMap { word in
                (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) }
            }
            for start in stride(from: 0, to: count, by: 1 << 20) {
                #expect(finished.output[start..<start + (1 << 20)] == block[...], "\(start)")
            }
        }
    }

    @Test func `truncated output is reported`() throws {
        try withServer { server in
            let options = ["--output-bytes", "1000"]
            let long = try ClientProgram.submit("yes | head -c 5000; printf %1000s e >&2", to: server.url, options)
            #expect(long.end == .exited(0))
            let message =
                "sandglass: the server did not store bytes 500 to 4499 of stdout; raise --output-bytes\n"
            #expect(long.diagnostics.contains(message))
            let none = try ClientProgram.submit("echo a >&2", to: server.url, ["--output-bytes", "0"])
            #expect(none.diagnostics.contains("did not store bytes 0 to 1 of stderr"))
        }
    }

    @Test func `output is printed while the command runs`() throws {
        try withServer { server in
            // Only the client's next signal ends the command.
            let client = try ClientProgram.start(
                "submit",
                at: server.url,
                ["--timeout", "600", "--", "/bin/sh", "-c", "echo out; echo err >&2; sleep 600"]
            )
            #expect(try client.readOutputLine() == "out")
            #expect(try client.readErrorLine() == "err")
            client.send(signal: SIGTERM)
            #expect(try client.finish().end == .exited(143))
        }
    }

    @Test func `--json prints the run instead of its output`() throws {
        try withServer { server in
            let finished = try ClientProgram.submit("echo out; echo err >&2; exit 124", to: server.url, ["--json"])
            #expect(finished.end == .exited(124))
            #expect(finished.diagnostics.isEmpty)
            let run = try JSONDecoder().decode(RunDocument.self, from: Data(finished.output))
            #expect(run.end == .exited(124))
            #expect(run.stdout.text == "out\n" && run.stderr.text == "err\n")
            #expect(finished.output.filter { $0 == UInt8(ascii: "\n") }.count == 1)
            #expect(try server.get("/runs/\(run.id)").body == finished.output)
        }
    }

    @Test func `--detach prints the id and exits`() throws {
        try withServer { server in
            let finished = try ClientProgram.submit("exit 3", to: server.url, ["--detach"])
            #expect(finished.end == .exited(0))
            let id = finished.text.trimmingCharacters(in: .newlines)
            #expect(try server.finished(id).end == .exited(3))
        }
    }

    // MARK: Options

    @Test func `options set the members of the run`() throws {
        try withServer { server in
            let finished = try ClientProgram.submit(
                "cat; echo $A; pwd",
                to: server.url,
                [
                    "--stdin", "-", "--env", "A=1", "--env", "A=b=c", "--working-directory", "/tmp", "--label",
                    "branch=main", "--timeout", "7.5", "--grace", "0.5", "--cpu-seconds", "3", "--processes", "33",
                    "--output-bytes", "1000", "--disk-bytes", "8192", "--open-files", "44", "--memory-bytes",
                    "67108864",
                    "--json",
                ],
                input: Array("in\n".utf8)
            )
            let run = try JSONDecoder().decode(RunDocument.self, from: Data(finished.output))
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "in\nb=c\n/tmp\n")
            #expect(run.labels == ["branch": "main"])
            let limits = RunDocument.Limits(
                timeoutSeconds: 7.5,
                cpuSeconds: 3,
                memoryBytes: 64 << 20,
                processes: 33,
                outputBytes: 1000,
                diskBytes: 8192,
                openFiles: 44
            )
            #expect(run.limits == limits)
        }
    }

    @Test func `--cache reuses an earlier run`() throws {
        try withServer { server in
            let script = "date +%s%N"
            let first = try ClientProgram.submit(script, to: server.url, ["--cache"])
            let second = try ClientProgram.submit(script, to: server.url, ["--cache"])
            #expect(first.end == .exited(0) && !first.output.isEmpty)
            #expect(first.output == second.output)
        }
    }

    // MARK: Invalid calls and refusals

    @Test(arguments: [
        [], ["--"], ["--no-such", "--", "true"], ["--timeout", "x", "--", "true"], ["--env", "A", "--", "true"],
        ["--file", "../x", "--", "true"], ["--file", "/etc/hosts", "--", "true"],
        ["--server", "ftp://h", "--", "true"],
        ["--server", "http://u@h", "--", "true"], ["--server", "http://h?q", "--", "true"],
        ["--server", "http://h:0", "--", "true"], ["--token-file", "/no/such", "--", "true"],
        ["--ca-file", "/no/such", "--", "true"], ["--memory-bytes", "1MB", "--", "true"],
    ])
    func `an invalid call exits with 125 and a reason`(arguments: [String]) throws {
        let finished = try ChildProcess([Host.program, "submit"] + arguments).finish()
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.hasPrefix("Error: ") || finished.diagnostics.contains("Usage:"))
        #expect(finished.output.isEmpty)
    }

    @Test func `an unreachable server exits with 125 at once`() throws {
        let finished = try ClientProgram.submit("true", to: "http://127.0.0.1:1")
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("cannot be reached"))
        #expect(!finished.diagnostics.contains("retrying"))
    }

    @Test func `all faults of a refused run are printed`() throws {
        try withServer { server in
            let finished = try ClientProgram.submit(
                "true",
                to: server.url,
                ["--processes", "0", "--image", "none such", "--grace", "61"]
            )
            #expect(finished.end == .exited(125))
            for text in ["422", "/limits/processes: ", "/image: ", "/graceSeconds: "] {
                #expect(finished.diagnostics.contains(text), "\(text)")
            }
            #expect(try server.runs().isEmpty)
        }
    }

    @Test func `SANDGLASS_SERVER names the server`() throws {
        try withServer { server in
            let finished = try ChildProcess(
                [Host.program, "submit", "--", "echo", "hello"],
                environment: ["SANDGLASS_SERVER": server.url + "/"]
            ).finish()
            #expect(finished.end == .exited(0))
            #expect(finished.text == "hello\n")
        }
        // The server accepts the client's variables although it refuses unknown settings.
        try withServer(environment: ["SANDGLASS_SERVER": "x", "SANDGLASS_TOKEN": "x", "SANDGLASS_CA_FILE": "x"]) { _ in
        }
    }
}
