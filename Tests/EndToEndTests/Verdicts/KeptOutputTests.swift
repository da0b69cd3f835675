import Foundation
import Glibc
import TestSupport
import Testing

/// `keepOutput`: the part of a long output that is kept.
struct KeptOutputTests {
    private func limits(_ bytes: Int, _ keep: String) -> [String: Any] {
        ["limits": ["outputBytes": bytes], "keepOutput": keep, "timeoutSeconds": 60]
    }

    @Test(arguments: [
        ("head", 10, "0123456789", 10), ("tail", 10, "qrstuvwxyz", 0), ("both", 10, "01234\n[26 bytes cut]\nvwxyz", 5),
        ("both", 1, "0", 1), ("both", 3, "01\n[33 bytes cut]\nz", 2), ("tail", 1, "z", 0), ("tail", 0, "", 0),
        ("both", 0, "", 0),
    ])
    func `the kept part of a long output is the requested one`(
        keep: String,
        limit: Int,
        text: String,
        offset: Int
    ) throws {
        try withServer { server in
            let run = try server.run(
                ["printf", "%s", "0123456789abcdefghijklmnopqrstuvwxyz"],
                limits(limit, keep)
            )
            #expect(run.stdout.text == text)
            #expect(run.stdout.bytes == 36)
            #expect(run.stdout.truncated)
            #expect(run.stdout.cut == .init(offset: offset, bytes: 36 - limit))
            #expect(run.keepOutput == (keep == "head" ? nil : keep))
            #expect(run.stderr.cut == nil)
        }
    }

    @Test(arguments: ["head", "tail", "both"])
    func `output within the limit is kept as a whole`(keep: String) throws {
        try withServer { server in
            for count in [0, 1, 9999, 10_000] {
                let run = try server.shell("head -c \(count) /dev/zero | tr '\\0' x", limits(10_000, keep))
                #expect(run.stdout.text == String(repeating: "x", count: count))
                #expect(!run.stdout.truncated)
                #expect(run.stdout.cut == nil)
            }
        }
    }

    @Test func `a large file of output takes no more space than its kept part`() throws {
        let data = try TemporaryDataDirectory()
        let server = try data.server()
        let numbers = Array((1...2_000_000).map { "\($0)\n" }.joined().utf8)
        for (keep, head) in [("tail", 0), ("both", 1 << 20)] {
            let run = try server.run(["seq", "2000000"], limits(2 << 20, keep))
            let tail = (2 << 20) - head
            #expect(run.stdout.bytes == numbers.count)
            #expect(run.stdout.cut == .init(offset: head, bytes: numbers.count - (2 << 20)))
            #expect(run.stdout.inlined == false)
            #expect(run.stdout.text.hasSuffix("\n2000000\n"))
            let raw = try server.get("/runs/\(run.id)/stdout").body
            #expect(raw == Array(numbers.prefix(head) + numbers.suffix(tail)))
            var status = stat()
            try #require(stat(data.path + "/output/\(run.id).stdout", &status) == 0)
            #expect(status.st_blocks * 512 <= 3 << 20)
            // The text of a stream holds half a mebibyte of each part.
            if keep == "both" {
                let line = "[\(numbers.count - (1 << 20)) bytes cut]\n"
                let parts = try #require(run.stdout.text.range(of: line))
                #expect(run.stdout.text[..<parts.lowerBound].utf8.dropLast().elementsEqual(numbers[..<(512 << 10)]))
                #expect(Array(run.stdout.text[parts.upperBound...].utf8) == numbers.suffix(512 << 10))
            }
        }
    }

    @Test func `a cut never splits a character`() throws {
        try withServer { server in
            for text in ["éééééééééé", "€€€€€€€€€€", "😀😀😀😀😀😀😀"] {
                let character = text.utf8.count / text.count
                for limit in 5...12 {
                    for keep in ["tail", "both"] {
                        let run = try server.run(["printf", "%s", text], limits(limit, keep))
                        let head = keep == "tail" ? 0 : limit - limit / 2
                        let first = String(text.prefix(head / character))
                        let last = String(text.suffix((limit - head) / character))
                        #expect(run.stdout.encoding == "utf-8", "\(limit)")
                        #expect(run.stdout.text.hasPrefix(first), "\(limit)")
                        #expect(run.stdout.text.hasSuffix(last), "\(limit)")
                        let shown = text.utf8.count - first.utf8.count - last.utf8.count
                        let line = keep == "tail" ? "" : "\(first.isEmpty ? "" : "\n")[\(shown) bytes cut]\n"
                        #expect(run.stdout.text == first + line + last, "\(limit)")
                    }
                }
            }
        }
    }

    @Test func `both parts of binary output follow each other in base64`() throws {
        try withServer { server in
            let run = try server.perl("print map { chr } 0..255", limits(10, "both"))
            #expect(run.stdout.encoding == "base64")
            #expect(run.stdout.content == [0, 1, 2, 3, 4, 251, 252, 253, 254, 255])
        }
    }

    @Test func `onOutputLimit kill keeps the requested part`() throws {
        try withServer { server in
            let run = try server.run(["yes"], limits(1000, "tail").merging(["onOutputLimit": "kill"]) { $1 })
            #expect(run.outcome == "output_limit")
            #expect(run.stdout.content?.count == 1000)
            #expect(run.stdout.cut == .init(offset: 0, bytes: run.stdout.bytes - 1000))
        }
    }

    @Test func `ranges count the bytes of the whole stream`() throws {
        try withServer { server in
            // The second output is in a file.
            for (count, limit) in [(100, 20), (100_000, 20_000)] {
                let bytes = (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 23) }
                let script = "print join '', map { chr(97 + $_ % 23) } 0..\(count - 1)"
                let run = try server.perl(script, limits(limit, "both"))
                let (head, tail) = (limit / 2, count - limit / 2)
                func get(_ range: String) throws -> HTTPResponse {
                    try server.get("/runs/\(run.id)/stdout", ["Range: bytes=\(range)"])
                }
                let cases = [
                    ("0-4", 0..<5), ("5-", 5..<head), ("\(head - 1)-\(tail)", head - 1..<head),
                    ("\(head)-", tail..<count), ("\(tail - 1)-\(tail)", tail..<tail + 1), ("\(tail)-", tail..<count),
                    ("-3", count - 3..<count), ("-\(count)", tail..<count), ("0-", 0..<head),
                ]
                for (range, expected) in cases {
                    let response = try get(range)
                    #expect(response.status == 206, "\(range)")
                    #expect(response.body == Array(bytes[expected]), "\(range)")
                    #expect(
                        response.headers["content-range"]
                            == "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/\(count)",
                        "\(range)"
                    )
                }
                for range in ["\(head)-\(tail - 1)", "\(head + 1)-\(head + 1)", "\(count)-"] {
                    let response = try get(range)
                    #expect(response.status == 416, "\(range)")
                    #expect(response.text.contains("those from \(head) to \(tail - 1) were cut"), "\(range)")
                }
                let whole = try server.get("/runs/\(run.id)/stdout")
                #expect(whole.status == 200)
                #expect(whole.body == Array(bytes[..<head] + bytes[tail...]))
                let tag = try #require(whole.headers["etag"])
                try #expect(server.get("/runs/\(run.id)/stdout", ["If-None-Match: \(tag)"]).status == 304)
                let client = try server.client()
                try client.request("HEAD", "/runs/\(run.id)/stdout")
                try #expect(client.response(toHead: true).status == 200)
            }
        }
    }

    // MARK: Followers

    /// A script that writes 40 KiB in parts of 1 KiB, each when the line for it arrives.
    private static let steps = """
        for i in 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39; do
            printf %1024s $i; sleep 0.01
        done;
        """

    @Test(arguments: ["head", "tail", "both"])
    func `a follower receives everything, whatever is kept`(keep: String) throws {
        try withServer("--concurrency", "1") { server in
            let first = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            let run = try server.submit(["/bin/sh", "-c", Self.steps], limits(2048, keep))
            let stream = try EventStream(server, run.id)
            try #expect(server.send("POST", "/runs/\(first.id)/cancel").status == 202)
            let events = try stream.all().filter { $0.name == "stdout" }
            let all = (10...39).map { String(repeating: " ", count: 1022) + "\($0)" }.joined()
            #expect(String(decoding: events.flatMap(\.bytes), as: UTF8.self) == all)
            #expect(
                events.compactMap { $0.member("offset") as? Int }
                    == events.indices.map { index in
                        events[..<index].reduce(0) { $0 + $1.bytes.count }
                    }
            )
            let finished = try server.finished(run)
            #expect(finished.stdout.bytes == 30 * 1024)
            // After the end, only the kept part is left.
            let later = try EventStream(server, run.id).all().filter { $0.name == "stdout" }
            let ranges = keep == "head" ? [0..<2048] : keep == "tail" ? [28672..<30720] : [0..<1024, 29696..<30720]
            #expect(later.flatMap(\.bytes) == ranges.flatMap { Array(all.utf8)[$0] })
            let offsets = later.compactMap { $0.member("offset") as? Int }
            #expect(Set(ranges.map(\.lowerBound)).isSubset(of: offsets))
        }
    }

    @Test(arguments: ["head", "tail", "both"], [0, 1])
    func `a follower receives everything however little is kept`(keep: String, limit: Int) throws {
        try withServer("--concurrency", "1") { server in
            let first = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            let run = try server.submit(["seq", "20000"], limits(limit, keep))
            let stream = try EventStream(server, run.id)
            try #expect(server.send("POST", "/runs/\(first.id)/cancel").status == 202)
            let all = (1...20000).map { "\($0)\n" }.joined()
            #expect(try stream.all().bytes(of: "stdout") == Array(all.utf8))
            #expect(try EventStream(server, run.id).all().bytes(of: "stdout").count == limit)
        }
    }

    @Test func `a follower of the raw stream receives everything`() throws {
        try withServer("--concurrency", "1") { server in
            let first = try server.submit(["sleep", "600"], ["timeoutSeconds": 600])
            let run = try server.submit(["/bin/sh", "-c", Self.steps], limits(2048, "both"))
            let client = try server.client()
            try client.request("GET", "/runs/\(run.id)/stdout?follow=true")
            _ = try client.response(toHead: true)
            try #expect(server.send("POST", "/runs/\(first.id)/cancel").status == 202)
            var followed = 0
            while let chunk = try client.chunk() { followed += chunk.count }
            #expect(followed == 30 * 1024)
            #expect(try server.get("/runs/\(run.id)/stdout?follow=true").body.count == 2048)
        }
    }

    @Test func `a follower that is too slow continues with what is there`() throws {
        try withServer { server in
            let run = try server.submit(["sh", "-c", "seq 2000000; sleep 600"], limits(1 << 20, "both"))
            let stream = try EventStream(server, run.id)
            let total = (1...2_000_000).reduce(0) { $0 + "\($1)".utf8.count + 1 }
            // The client reads nothing until the command has written everything.
            try #require(eventually { try server.get("/runs/\(run.id)").run().stdout.bytes == total })
            var (offset, gaps, last) = (0, 0, "")
            while offset < total, let event = try stream.next() {
                guard event.name == "stdout", let start = event.member("offset") as? Int else { continue }
                if start > offset { gaps += 1 }
                #expect(start >= offset)
                offset = start + event.bytes.count
                last = String(decoding: event.bytes.suffix(8), as: UTF8.self)
            }
            #expect(offset == total)
            #expect(last == "2000000\n")
            #expect(gaps > 0)
            #expect(try server.send("POST", "/runs/\(run.id)/cancel").status == 202)
        }
    }

    @Test func `the order of the last output is known after much of it`() throws {
        try withServer { server in
            let script = """
                $| = 1; select(STDERR); $| = 1;
                for my $i (1..3000) { print STDOUT "o$i\\n"; select(undef, undef, undef, 0.0003); print STDERR "e$i\\n"; \
                select(undef, undef, undef, 0.0003) }
                """
            let run = try server.perl(script, limits(200, "tail"))
            #expect(run.stdout.text.hasSuffix("o3000\n"))
            let events = try EventStream(server, run.id).all().filter(\.isOutput)
            let lines = events.map { String(decoding: $0.bytes, as: UTF8.self) }.joined().split(separator: "\n").suffix(
                20
            )
            #expect(lines.elementsEqual((2991...3000).flatMap { ["o\($0)", "e\($0)"] }))
        }
    }

    // MARK: Durability

    @Test func `the end of the output of a lost run is kept`() throws {
        let data = try TemporaryDataDirectory()
        let first = try data.server()
        let run = try first.submit(["sh", "-c", "seq 1000000; sleep 600"], limits(100_000, "both"))
        let total = 6_888_896
        try #require(eventually { try first.get("/runs/\(run.id)").run().stdout.bytes == total })
        try first.kill()
        let second = try data.server()
        let lost = try second.get("/runs/\(run.id)").run()
        #expect(lost.outcome == "lost")
        #expect(lost.stdout.bytes == total)
        #expect(lost.stdout.cut == .init(offset: 50_000, bytes: total - 100_000))
        #expect(lost.stdout.text.hasSuffix("\n999999\n1000000\n"))
        // A restart later, the same is read from the record.
        try second.kill()
        let third = try data.server()
        #expect(try third.get("/runs/\(run.id)").run().stdout == lost.stdout)
    }

    // MARK: Command line

    @Test func `submit keeps both ends, prints everything and names what is not stored`() throws {
        try withServer { server in
            // The client follows the run when it has printed the first line, and SIGTERM lets the command go on.
            let script = "trap '\(Self.steps) exit 0' TERM; (trap - TERM; echo; exec sleep 600) & wait"
            let client = try ClientProgram.start(
                "submit",
                at: server.url,
                ["--output-bytes", "2049", "--grace", "60", "--timeout", "600", "--", "/bin/sh", "-c", script]
            )
            try #require(client.readOutputLine() != nil)
            let run = try #require(try server.runs().first)
            try #expect(server.send("POST", "/runs/\(run.id)/cancel").status == 202)
            let finished = try client.finish()
            #expect(finished.output.count == 30 * 1024)
            #expect(
                finished.diagnostics.hasSuffix(
                    "sandglass: the server did not store bytes 1025 to 29696 of stdout; raise --output-bytes\n"
                )
            )
            let logs = try ClientProgram.run("logs", at: server.url, [run.id])
            #expect(logs.output.count == 2049)
            let missing = "sandglass: the server did not store bytes 1025 to 29696 of stdout\n"
            #expect(logs.diagnostics == missing)
            #expect(logs.end == .exited(0))
            #expect(try ClientProgram.run("logs", at: server.url, ["--follow", run.id]).diagnostics == missing)
            let other = try ClientProgram.run("logs", at: server.url, ["--stream", "stderr", run.id])
            #expect(other.diagnostics.isEmpty)
            let tail = try ClientProgram.submit(
                "seq 1000",
                to: server.url,
                ["--output-bytes", "9", "--keep-output", "tail"]
            )
            #expect(tail.end == .exited(0))
            #expect(
                try server.get("/runs/\(try #require(try server.runs().first).id)").run().stdout.text == "999\n1000\n"
            )
            let wrong = try ClientProgram.submit("true", to: server.url, ["--keep-output", "end"])
            #expect(wrong.end == .exited(125))
            #expect(wrong.diagnostics.contains("It must be head or tail or both."))
        }
    }

    @Test(arguments: ["head", "tail", "both"])
    func `a client names a missing part of a finished run once`(keep: String) throws {
        try withServer { server in
            let run = try server.run(["printf", "%s", "0123456789"], limits(4, keep))
            let missing = ["head": "4 to 9", "tail": "0 to 5", "both": "2 to 7"][keep] ?? ""
            let line = "sandglass: the server did not store bytes \(missing) of stdout\n"
            for options in [[], ["--follow"]] {
                let logs = try ClientProgram.run("logs", at: server.url, options + [run.id])
                #expect(logs.end == .exited(0))
                #expect(logs.output.count == 4)
                #expect(logs.diagnostics == line)
            }
        }
    }

    @Test(arguments: ["head", "tail", "both"])
    func `submit prints one message about a cut, and none beside the JSON document`(keep: String) throws {
        try withServer { server in
            let options = ["--output-bytes", "1000", "--keep-output", keep]
            let live = try ClientProgram.submit("yes | head -c 5000", to: server.url, options)
            #expect(live.end == .exited(0))
            #expect(live.diagnostics.components(separatedBy: "did not store").count == 2, "\(live.diagnostics)")
            let json = try ClientProgram.submit("yes | head -c 5000", to: server.url, options + ["--json"])
            #expect(json.end == .exited(0))
            #expect(json.diagnostics.isEmpty)
            let document = try JSONDecoder().decode(RunDocument.self, from: Data(json.output))
            #expect(document.stdout.cut?.bytes == 4000)
        }
    }

    @Test func `a document shows the end of long output if the end was to be kept`() throws {
        try withServer { server in
            let run = try server.run(["seq", "300000"], limits(4 << 20, "tail"))
            #expect(!run.stdout.truncated)
            #expect(run.stdout.inlined == false)
            #expect(run.stdout.text.utf8.count == 1 << 20)
            #expect(run.stdout.text.hasSuffix("\n299999\n300000\n"))
        }
    }
}
