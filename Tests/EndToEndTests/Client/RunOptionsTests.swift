import Foundation
import Glibc
import Testing

/// The options that `sandglass run` and `submit` share, and the standard input of `submit`.
struct RunOptionsTests {
    /// The commands, with the options that name a server.
    private func commands(_ server: ServerProcess) -> [[String]] { [["run"], ["submit", "--server", server.url]] }

    private func call(_ words: [String], _ script: String, input: [UInt8]? = nil) throws -> ChildProcess.Finished {
        let process = try ChildProcess(
            [Host.program] + words + ["--", "/bin/sh", "-c", script],
            input: input == nil ? .none : .pipe
        )
        return try process.finish(input: input ?? [])
    }

    @Test func `run and submit take the same options with the same effect`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        try "in\n".write(toFile: path + "/in", atomically: false, encoding: .utf8)
        try FileManager.default.createSymbolicLink(atPath: path + "/link", withDestinationPath: "in")
        let script = """
            pwd; cat /box/a /box/l; echo $A; ulimit -n; mkdir /box/out; echo kept >/box/out/f; chmod +x /box/out/f; cat
            """
        try withServer { server in
            for (number, command) in commands(server).enumerated() {
                let finished = try call(
                    command + [
                        "--file", "a=\(path)/in", "--file", "l=\(path)/link", "--env", "A=1", "--working-directory",
                        "/tmp",
                        "--artifact", "out/*", "--artifact", "none", "--output-directory", "\(path)/\(number)",
                        "--open-files", "64", "--memory-bytes", "64M", "--disk-bytes", "1MiB", "--cpu-seconds", "1m",
                        "--timeout", "1m", "--grace", "250ms", "--network", "none", "--image", "host", "--label", "a=b",
                    ],
                    script,
                    input: Array("own\n".utf8)
                )
                #expect(finished.end == .exited(0), "\(finished.diagnostics)")
                #expect(finished.text == "/tmp\nin\nin\n1\n64\nown\n")
                #expect(finished.diagnostics.contains("none was not kept"))
                let kept = "\(path)/\(number)/out/f"
                #expect(try String(contentsOfFile: kept, encoding: .utf8) == "kept\n")
                #expect(access(kept, X_OK) == 0)
                let tree = path + "/tree"
                try? FileManager.default.createDirectory(atPath: tree + "/build", withIntermediateDirectories: true)
                for name in ["/a.c", "/a.o", "/build/b"] { try Data().write(to: URL(filePath: tree + name)) }
                let listed = try call(
                    command + ["--file", ".=\(tree)", "--exclude", "*.o", "--exclude", "build/"],
                    "find . -mindepth 1"
                )
                #expect(listed.text == "./a.c\n", "\(listed.diagnostics)")
                let merged = try call(command + ["--merge-stderr"], "echo 1; echo 2 >&2; echo 3")
                #expect(merged.text == "1\n2\n3\n" && merged.diagnostics.isEmpty)
                // Sizes and times have their units in the run.
                let json = try call(
                    command + ["--json", "--memory-bytes", "64M", "--timeout", "1.5m", "--label", "a=b"],
                    ""
                )
                for text in [#""memoryBytes":67108864"#, #""timeoutSeconds":90"#, #""labels":{"a":"b"}"#] {
                    #expect(json.text.contains(text), "\(json.text)")
                }
                #expect(try call(command + ["--stdin", path + "/in", "--timeout", "1m"], "cat").text == "in\n")
                #expect(try call(command + ["--no-stdin"], "cat", input: [65]).output.isEmpty)
                for option in [
                    ["--memory-bytes", "1Q"], ["--memory-bytes", "-1"], ["--timeout", "5x"], ["--timeout", ""],
                    ["--grace", "1 s"], ["--cpu-seconds", "1e3"], ["--file", "/a"], ["--file", path + "/missing"],
                    ["--artifact", "/a"], ["--network", "x"], ["--stdin", "-", "--no-stdin"], ["--open-files", "0"],
                ] {
                    let refused = try call(command + option, "echo ran")
                    #expect(refused.end == .exited(125), "\(command[0]) \(option)")
                    #expect(refused.output.isEmpty && !refused.error.isEmpty)
                }
            }
        }
    }

    @Test(arguments: ["tail", "both"])
    func `run refuses to keep the end of output that it passes on`(keep: String) throws {
        let options = ["run", "--output-bytes", "4", "--keep-output", keep]
        let refused = try call(options, "printf 0123456789")
        #expect(refused.end == .exited(125))
        #expect(refused.output.isEmpty)
        #expect(refused.diagnostics.contains("--keep-output \(keep)") && refused.diagnostics.contains("--json"))
        let json = try call(options + ["--json"], "printf 0123456789")
        #expect(json.end == .exited(0))
        #expect(json.text.contains(#""cut":"#))
    }

    @Test func `the artifacts of run leave nothing else behind`() throws {
        let directory = try TemporaryDirectory()
        let words = ["run", "--artifact", "**", "--output-directory", directory.path + "/out"]
        for script in ["echo a >/box/a", "kill -9 $$", "ln -s /etc/passwd /box/l; mkfifo /box/p"] {
            let process = try ChildProcess(
                [Host.program] + words + ["--", "/bin/sh", "-c", script],
                environment: ["TMPDIR": directory.path]
            )
            _ = try process.finish()
        }
        #expect(try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted() == ["out", "out/a"])
    }

    @Test func `submit sends its standard input unless it is a terminal or --no-stdin is given`() throws {
        let directory = try TemporaryDirectory()
        try "file\n".write(toFile: directory.path + "/in", atomically: false, encoding: .utf8)
        try withServer { server in
            let submit = "\(Host.program) submit --server \(server.url)"
            let large = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            #expect(try ClientProgram.submit("cat", to: server.url, input: large).output == large)
            for (line, output) in [
                ("echo pipe | \(submit) -- cat", "pipe\n"), ("\(submit) -- cat <\(directory.path)/in", "file\n"),
                ("\(submit) -- cat </dev/null", ""), ("\(submit) -- cat <&-", ""), (": | \(submit) -- cat", ""),
                ("echo pipe | \(submit) --no-stdin -- cat", ""),
                ("printf 'a\\nb\\n' | while read x; do \(submit) --no-stdin -- echo $x; done", "a\nb\n"),
                (
                    "id=$(echo pipe | \(submit) --detach -- cat); \(submit.replacing("submit", with: "logs")) --follow $id",
                    "pipe\n"
                ),
            ] {
                let finished = try ChildProcess(["/bin/sh", "-c", line]).finish()
                #expect(finished.end == .exited(0), "\(line): \(finished.diagnostics)")
                #expect(finished.text == output, "\(line)")
            }
            // The terminal of script(1) never ends, and nobody types.
            let terminal = try ChildProcess(
                ["script", "-qec", "\(submit) --timeout 5 -- cat", "/dev/null"],
                input: .pipe
            )
            #expect(try eventually { try server.runs("&state=finished").count == 11 })
            #expect(try terminal.finish().end == .exited(0))
        }
    }
}
