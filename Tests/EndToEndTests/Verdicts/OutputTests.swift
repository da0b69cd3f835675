import Foundation
import TestSupport
import Testing

/// The output of a command: stored up to its limit and counted beyond it.
struct OutputTests {
    @Test func `both streams are stored separately`() throws {
        try withServer { server in
            let run = try server.shell("printf out; printf err >&2")
            #expect(run.stdout.text == "out")
            #expect(run.stderr.text == "err")
            #expect(run.stdout.bytes == 3)
            #expect(!run.stdout.truncated)
            #expect(run.stdout.encoding == "utf-8")
        }
    }

    @Test func `merged streams arrive in the order of writing`() throws {
        try withServer { server in
            let script = "set -x; i=0; while [ $i -lt 300 ]; do echo out $i; ls /nonexistent; i=$((i + 1)); done"
            let plain = try server.run(["bash", "-c", "exec 2>&1; \(script)"], ["timeoutSeconds": 60])
            let run = try server.run(["bash", "-c", script], ["timeoutSeconds": 60, "mergeStderr": true])
            #expect(run.end == .exited(0))
            // Without the line of the redirection itself.
            #expect(run.stdout.text == plain.stdout.text)
            #expect(run.stderr.bytes == 0 && run.stderr.text == "")
            #expect(run.mergeStderr == true)
            #expect(plain.mergeStderr == nil)
            try #expect(server.get("/runs/\(run.id)/stdout").text == run.stdout.text)
            try #expect(server.get("/runs/\(run.id)/stderr").text == "")
        }
    }

    @Test func `merged streams share one limit`() throws {
        try withServer { server in
            let script = "printf 1234567; printf abcdefg >&2"
            let run = try server.shell(script, ["mergeStderr": true, "limits": ["outputBytes": 10]])
            #expect(run.stdout.text == "1234567abc")
            #expect(run.stdout.bytes == 14)
            #expect(run.stdout.truncated)
            let killed = try server.shell(
                "yes >&2",
                ["mergeStderr": true, "limits": ["outputBytes": 10], "onOutputLimit": "kill"]
            )
            #expect(killed.outcome == "output_limit")
        }
    }

    @Test func `a command that closes its streams runs until its end`() throws {
        try withServer { server in
            let run = try server.shell("exec >&- 2>&-; sleep 0.3; exit 3", ["timeoutSeconds": 30])
            #expect(run.end == .exited(3))
            try #expect(#require(run.usage).wallSeconds >= 0.3)
        }
    }

    @Test func `output in the pipes at the end of the command is stored`() throws {
        try withServer { server in
            for _ in 0..<20 {
                let run = try server.perl("syswrite STDOUT, 'x' x 60000; syswrite STDERR, 'y' x 60000; kill 9, $$")
                #expect(run.stdout.text.utf8.count == 60000)
                #expect(run.stderr.text.utf8.count == 60000)
            }
        }
    }

    @Test func `output that a program writes without waiting before it ends is not lost`() throws {
        try withServer { server in
            // As Node.js does in process.exit(): what does not fit into the pipe at once is lost.
            let script = """
                use Fcntl; for my $stream (\\*STDOUT, \\*STDERR) {
                fcntl($stream, F_SETFL, fcntl($stream, F_GETFL, 0) | O_NONBLOCK); syswrite $stream, 'x' x 900000 }
                """
            for _ in 0..<10 {
                let run = try server.perl(script)
                #expect(run.stdout.bytes == 900_000 && run.stderr.bytes == 900_000)
            }
        }
    }

    // MARK: The limit

    @Test func `one byte beyond the limit truncates the output`() throws {
        try withServer { server in
            let limits = ["limits": ["outputBytes": 1000]]
            let whole = try server.shell("head -c 1000 /dev/zero | tr '\\0' x", limits)
            #expect(!whole.stdout.truncated)
            #expect(whole.stdout.text == String(repeating: "x", count: 1000))
            let cut = try server.shell("head -c 1001 /dev/zero | tr '\\0' x", limits)
            #expect(cut.stdout.truncated)
            #expect(cut.stdout.bytes == 1001)
            #expect(cut.stdout.text == whole.stdout.text)
            #expect(cut.end == .exited(0))
        }
    }

    @Test func `an output limit of zero stores nothing and counts all bytes`() throws {
        try withServer { server in
            let run = try server.shell("echo hello", ["limits": ["outputBytes": 0]])
            #expect(run.stdout.text.isEmpty)
            #expect(run.stdout.bytes == 6)
            #expect(run.stdout.truncated)
            #expect(run.end == .exited(0))
        }
    }

    @Test func `onOutputLimit kill ends a command beyond its output limit`() throws {
        try withServer { server in
            let members: [String: Any] = [
                "limits": ["outputBytes": 5000], "onOutputLimit": "kill", "timeoutSeconds": 30, "graceSeconds": 30,
            ]
            let run = try server.run(["cat", "/dev/zero"], members)
            #expect(run.outcome == "output_limit")
            #expect(run.exitCode == nil)
            #expect(run.signal?.name == "SIGKILL")
            #expect(!run.timedOut)
            #expect(run.stdout.truncated)
            #expect(run.stdout.bytes > 5000)
            #expect(run.stdout.content?.count == 5000)
        }
    }

    @Test func `onOutputLimit kill does not end a command within its output limit`() throws {
        try withServer { server in
            let members: [String: Any] = ["limits": ["outputBytes": 5000], "onOutputLimit": "kill"]
            try #expect(server.shell("head -c 5000 /dev/zero; sleep 0.1", members).end == .exited(0))
            try #expect(server.shell("head -c 5001 /dev/zero >&2; sleep 60", members).outcome == "output_limit")
        }
    }

    @Test func `output beyond the inlined part is served at the stream's path`() throws {
        try withServer { server in
            let size = 3 << 20
            let run = try server.perl("print 'abcdefgh' x (\(size) / 8)", ["limits": ["outputBytes": size]])
            #expect(run.stdout.bytes == size)
            #expect(!run.stdout.truncated)
            #expect(run.stdout.inlined == false)
            #expect(run.stdout.text.utf8.count == 1 << 20)
            let raw = try server.get("/runs/\(run.id)/stdout")
            #expect(raw.headers["content-type"] == "application/octet-stream")
            #expect(raw.headers["x-content-type-options"] == "nosniff")
            #expect(raw.text == String(repeating: "abcdefgh", count: size / 8))
            try #expect(server.get("/runs/\(run.id)/stderr").body.isEmpty)
        }
    }

    // MARK: Encoding

    @Test func `the output limit never splits a character`() throws {
        try withServer { server in
            // Characters of two, three and four bytes.
            for text in ["éééééééééé", "€€€€€€€€€€", "😀😀😀😀😀😀😀"] {
                for limit in 7...12 {
                    let run = try server.run(["printf", "%s", text], ["limits": ["outputBytes": limit]])
                    #expect(run.stdout.encoding == "utf-8", "\(limit)")
                    let character = text.utf8.count / text.count
                    #expect(run.stdout.text == String(text.prefix(limit / character)), "\(limit)")
                    #expect(run.stdout.bytes == text.utf8.count, "\(limit)")
                    #expect(run.stdout.truncated, "\(limit)")
                }
            }
        }
    }

    @Test func `output that ends within a character is base64`() throws {
        try withServer { server in
            let run = try server.shell("printf 'a\\342\\202'")
            #expect(run.stdout.encoding == "base64")
            #expect(run.stdout.content == [0x61, 0xE2, 0x82])
        }
    }

    @Test func `binary output is base64 and unchanged`() throws {
        try withServer { server in
            let run = try server.perl("print map { chr } 0..255; print STDERR \"\\xFF\"")
            #expect(run.stdout.encoding == "base64")
            #expect(run.stdout.content == Array(0...255))
            #expect(run.stderr.text == "/w==")
            try #expect(server.get("/runs/\(run.id)/stdout").body == Array(0...255))
        }
    }

    @Test func `text with NUL, quotes and control characters is unchanged`() throws {
        try withServer { server in
            let run = try server.perl(#"print "a\0b\"c\\d\n\e[31m\x7f""#)
            #expect(run.stdout.encoding == "utf-8")
            #expect(run.stdout.text == "a\0b\"c\\d\n\u{1B}[31m\u{7F}")
        }
    }
}

/// Output without end: no deadlock, an exact byte count, and a small server.
@Suite(.serialized)
struct FloodTests {
    /// The bytes by which the server may grow while gigabytes pass through.
    private static let allowance = 48 << 20

    private func memoryGrowth(_ server: ServerProcess, _ body: () throws -> Void) throws -> Int {
        _ = try server.shell("true")
        let before = try #require(ProcessTable.memory("VmRSS", of: server.pid))
        try body()
        return try #require(ProcessTable.memory("VmHWM", of: server.pid)) - before
    }

    @Test func `a gibibyte written to both streams in turn is drained and counted`() throws {
        try withServer { server in
            let half = 512 << 20
            let growth = try memoryGrowth(server) {
                // Pieces of odd sizes fill both pipes at every possible offset.
                let script = """
                    my $rest = \(half); my $piece = 'x' x 65537;
                    while ($rest > 0) {
                        my $n = $rest < 65537 ? $rest : 65537;
                        for my $stream (\\*STDOUT, \\*STDERR) {
                            my $done = 0;
                            while ($done < $n) { $done += syswrite $stream, $piece, $n - $done }
                        }
                        $rest -= $n;
                    }
                    """
                let run = try server.perl(script, ["timeoutSeconds": 120])
                #expect(run.end == .exited(0))
                for stream in [run.stdout, run.stderr] {
                    #expect(stream.bytes == half)
                    #expect(stream.truncated)
                    #expect(stream.text == String(repeating: "x", count: 1 << 20))
                }
            }
            #expect(growth < Self.allowance)
        }
    }

    @Test func `a hundred mebibytes on standard error alone are drained and counted`() throws {
        try withServer { server in
            let growth = try memoryGrowth(server) {
                let run = try server.shell("head -c 104857600 /dev/zero >&2; echo done", ["timeoutSeconds": 120])
                #expect(run.end == .exited(0))
                #expect(run.stderr.bytes == 100 << 20)
                #expect(run.stderr.truncated)
                #expect(run.stdout.text == "done\n")
            }
            #expect(growth < Self.allowance)
        }
    }

    @Test func `a command that floods its output ends at its deadline`() throws {
        try withServer { server in
            let growth = try memoryGrowth(server) {
                let run = try server.shell("cat /dev/zero & cat /dev/zero >&2", ["timeoutSeconds": 0.5])
                #expect(run.end == .timedOut)
                #expect(run.stdout.truncated && run.stderr.truncated)
            }
            #expect(growth < Self.allowance)
        }
    }
}

/// The standard input of a command.
struct InputTests {
    /// More bytes than any pipe holds.
    private static let large = String(repeating: "0123456789abcde\n", count: (10 << 20) / 16)

    @Test func `a command without input reads the end of file at once`() throws {
        try withServer { server in
            let run = try server.shell("cat; echo end")
            #expect(run.stdout.text == "end\n")
        }
    }

    @Test func `input arrives complete`() throws {
        try withServer { server in
            let run = try server.shell("wc -c; ", ["stdin": Self.large, "timeoutSeconds": 60])
            #expect(run.stdout.text == "\(10 << 20)\n")
            try #expect(server.run(["cat"], ["stdin": "grüß dich\n"]).stdout.text == "grüß dich\n")
        }
    }

    @Test func `base64 input arrives unchanged`() throws {
        try withServer { server in
            let bytes = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
            let run = try server.run(["cat"], ["stdin": ["base64": Data(bytes).base64EncodedString()]])
            #expect(run.stdout.content == bytes)
        }
    }

    @Test func `unread input delays neither the end nor the timeout`() throws {
        try withServer { server in
            let run = try server.shell("sleep 0.2; exit 2", ["stdin": Self.large, "timeoutSeconds": 60])
            #expect(run.end == .exited(2))
            let late = try server.run(["sleep", "60"], ["stdin": Self.large, "timeoutSeconds": 0.2])
            #expect(late.end == .timedOut)
        }
    }

    @Test func `a command may close its input early`() throws {
        try withServer { server in
            let members: [String: Any] = ["stdin": Self.large, "timeoutSeconds": 60]
            try #expect(server.shell("exec <&-; sleep 0.2; exit 5", members).end == .exited(5))
            let head = try server.shell("head -c 5; exec <&-; sleep 0.1; exit 6", members)
            #expect(head.end == .exited(6))
            #expect(head.stdout.text == "01234")
        }
    }

    @Test func `input and output may both exceed the pipes`() throws {
        try withServer { server in
            let size = 10 << 20
            let run = try server.run(
                ["cat"],
                ["stdin": Self.large, "limits": ["outputBytes": size], "timeoutSeconds": 60]
            )
            #expect(run.stdout.bytes == size)
            try #expect(server.get("/runs/\(run.id)/stdout").body == Array(Self.large.utf8))
        }
    }
}
