import Foundation
import Testing

/// What a command reads from its standard input, or does not.
struct InputTests {
    /// More than any pipe takes.
    private static let large = String(repeating: "0123456789abcde\n", count: (10 << 20) / 16)

    @Test func `a command without input reads its end at once`() throws {
        try withServer { server in
            let run = try server.shell("cat; echo end")
            #expect(run.stdout.text == "end\n")
        }
    }

    @Test func `input arrives whole`() throws {
        try withServer { server in
            let run = try server.shell("wc -c; ", ["stdin": Self.large, "timeoutSeconds": 60])
            #expect(run.stdout.text == "\(10 << 20)\n")
            try #expect(server.run(["cat"], ["stdin": "grüß dich\n"]).stdout.text == "grüß dich\n")
        }
    }

    @Test func `input in base64 arrives byte for byte`() throws {
        try withServer { server in
            let bytes = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
            let run = try server.run(["cat"], ["stdin": ["base64": Data(bytes).base64EncodedString()]])
            #expect(run.stdout.content == bytes)
        }
    }

    @Test func `ten mebibytes of input that nobody reads hold nothing up`() throws {
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

    @Test func `input and output may both be larger than the pipes`() throws {
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
