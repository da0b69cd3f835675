import Testing

/// What a command writes: drained while it runs, kept up to the limit, counted past it.
struct OutputTests {
    @Test func `both streams are kept apart`() throws {
        try withServer { server in
            let run = try server.shell("printf out; printf err >&2")
            #expect(run.stdout.text == "out")
            #expect(run.stderr.text == "err")
            #expect(run.stdout.bytes == 3)
            #expect(!run.stdout.truncated)
            #expect(run.stdout.encoding == "utf-8")
        }
    }

    @Test func `a command that closes its streams is still waited for`() throws {
        try withServer { server in
            let run = try server.shell("exec >&- 2>&-; sleep 0.3; exit 3", ["timeoutSeconds": 30])
            #expect(run.end == .exited(3))
            try #expect(#require(run.usage).wallSeconds >= 0.3)
        }
    }

    @Test func `what is still in the pipes when the command ends is kept`() throws {
        try withServer { server in
            for _ in 0..<20 {
                let run = try server.perl("syswrite STDOUT, 'x' x 60000; syswrite STDERR, 'y' x 60000; kill 9, $$")
                #expect(run.stdout.text.utf8.count == 60000)
                #expect(run.stderr.text.utf8.count == 60000)
            }
        }
    }

    // MARK: The limit

    @Test func `output up to the limit is whole, one byte more is not`() throws {
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

    @Test func `an output limit of zero keeps nothing and counts all`() throws {
        try withServer { server in
            let run = try server.shell("echo hello", ["limits": ["outputBytes": 0]])
            #expect(run.stdout.text.isEmpty)
            #expect(run.stdout.bytes == 6)
            #expect(run.stdout.truncated)
            #expect(run.end == .exited(0))
        }
    }

    @Test func `a command that asked for it is ended when it passes its output limit`() throws {
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

    @Test func `a command that stays within its output limit is not ended`() throws {
        try withServer { server in
            let members: [String: Any] = ["limits": ["outputBytes": 5000], "onOutputLimit": "kill"]
            try #expect(server.shell("head -c 5000 /dev/zero; sleep 0.1", members).end == .exited(0))
            try #expect(server.shell("head -c 5001 /dev/zero >&2; sleep 60", members).outcome == "output_limit")
        }
    }

    @Test func `what is not inlined is served from the stream's own address`() throws {
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

    @Test(arguments: 7...12)
    func `a character is never cut in two at the limit`(limit: Int) throws {
        try withServer { server in
            // Two, three and four bytes a character.
            for text in ["éééééééééé", "€€€€€€€€€€", "😀😀😀😀😀😀😀"] {
                let run = try server.run(["printf", "%s", text], ["limits": ["outputBytes": limit]])
                #expect(run.stdout.encoding == "utf-8")
                let character = text.utf8.count / text.count
                #expect(run.stdout.text == String(text.prefix(limit / character)))
                #expect(run.stdout.bytes == text.utf8.count)
                #expect(run.stdout.truncated)
            }
        }
    }

    @Test func `a command that ends within a character has written bytes, not text`() throws {
        try withServer { server in
            let run = try server.shell("printf 'a\\342\\202'")
            #expect(run.stdout.encoding == "base64")
            #expect(run.stdout.content == [0x61, 0xE2, 0x82])
        }
    }

    @Test func `binary output comes in base64, byte for byte`() throws {
        try withServer { server in
            let run = try server.perl("print map { chr } 0..255; print STDERR \"\\xFF\"")
            #expect(run.stdout.encoding == "base64")
            #expect(run.stdout.content == Array(0...255))
            #expect(run.stderr.text == "/w==")
            try #expect(server.get("/runs/\(run.id)/stdout").body == Array(0...255))
        }
    }

    @Test func `text with NUL, quotes and control characters comes back as it was`() throws {
        try withServer { server in
            let run = try server.perl(#"print "a\0b\"c\\d\n\e[31m\x7f""#)
            #expect(run.stdout.encoding == "utf-8")
            #expect(run.stdout.text == "a\0b\"c\\d\n\u{1B}[31m\u{7F}")
        }
    }
}
