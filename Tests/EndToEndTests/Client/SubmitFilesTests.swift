import Foundation
import Glibc
import System
import TestSupport
import Testing

/// `sandglass submit --file` and `--stdin`.
struct SubmitFilesTests {
    private static func blob(_ text: String) -> String {
        "/blobs/sha256:\(SHA256Digest(of: Array(text.utf8)).hexadecimal)"
    }

    @Test func `--file sends files and directories with their executable bits`() throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(
            atPath: directory.path + "/src/deep/er",
            withIntermediateDirectories: true
        )
        try directory.write("tool", "#!/bin/sh\necho tool $1\n", mode: 0o755)
        try directory.write("src/a.txt", "a\n", mode: 0o644)
        try directory.write("src/deep/er/ü b", "b\n", mode: 0o700)
        try directory.write("src/empty", "", mode: 0o644)
        try withServer { server in
            let finished = try ClientProgram.submit(
                "bin/tool x; find in -type f | LC_ALL=C sort; cat 'in/deep/er/ü b'; test ! -x in/a.txt && test -x 'in/deep/er/ü b'",
                to: server.url,
                ["--file", "bin/tool=\(directory.path)/tool", "--file", "in=\(directory.path)/src"]
            )
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            #expect(finished.text == "tool x\nin/a.txt\nin/deep/er/ü b\nin/empty\nb\n")
        }
    }

    @Test func `--file with a path alone uses it as source and target`() throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path + "/src", withIntermediateDirectories: true)
        try directory.write("src/a", "relative\n", mode: 0o644)
        try withServer { server in
            let finished = try ChildProcess([
                "env", "-C", directory.path, Host.program, "submit", "--server", server.url, "--file", "src/a", "--",
                "cat",
                "src/a",
            ]).finish()
            #expect(finished.text == "relative\n", "\(finished.diagnostics)")
        }
    }

    @Test func `only content that the server lacks is uploaded, and only once`() throws {
        let directory = try TemporaryDirectory()
        for (name, text) in [("one", "same"), ("two", "same"), ("three", "other")] {
            try directory.write(name, text, mode: 0o644)
        }
        let options = ["one", "two", "three"].flatMap { ["--file", "\($0)=\(directory.path)/\($0)"] }
        try withServer { server in
            let first = try FaultyProxy(to: server.port)
            let ran = try ClientProgram.submit("cat one two three", to: first.url, options)
            #expect(ran.text == "samesameother", "\(ran.diagnostics)")
            let puts = first.requests.filter { $0.hasPrefix("PUT ") }
            #expect(puts == ["PUT \(Self.blob("same"))", "PUT \(Self.blob("other"))"])
            #expect(first.requests.count { $0.hasPrefix("HEAD ") } == 2)
            try directory.write("three", "third", mode: 0o644)
            let second = try FaultyProxy(to: server.port)
            let again = try ClientProgram.submit("cat one two three", to: second.url, options)
            #expect(again.text == "samesamethird")
            #expect(second.requests.filter { $0.hasPrefix("PUT ") } == ["PUT \(Self.blob("third"))"])
        }
    }

    @Test func `a large upload is retried over broken connections`() throws {
        let directory = try TemporaryDirectory()
        var random = SeededGenerator(seed: 7)
        let words = (0..<(1 << 20)).map { _ in random.next() }
        let bytes = words.withUnsafeBytes { Data($0) }
        try bytes.write(to: URL(filePath: directory.path + "/large"))
        try withServer { server in
            // The responses to HEAD and to the first PUT are lost.
            let proxy = try FaultyProxy(to: server.port) { $0 < 2 ? 0 : nil }
            let finished = try ClientProgram.submit(
                "sha256sum < large",
                to: proxy.url,
                ["--file", "large=\(directory.path)/large"]
            )
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            #expect(finished.text.hasPrefix(SHA256Digest(of: Array(bytes)).hexadecimal))
        }
    }

    @Test func `--stdin reads a file, a pipe or the standard input`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("in", "from a file", mode: 0o644)
        try #require(mkfifo(directory.path + "/pipe", 0o600) == 0)
        try withServer { server in
            #expect(
                try ClientProgram.submit("cat", to: server.url, ["--stdin", directory.path + "/in"]).text
                    == "from a file"
            )
            let noise = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
            let own = try ClientProgram.submit("cat", to: server.url, ["--stdin", "-"], input: noise)
            #expect(own.output == noise)
            #expect(try ClientProgram.submit("cat", to: server.url, ["--stdin", "/dev/null"]).output.isEmpty)
            #expect(try ClientProgram.submit("cat", to: server.url, ["--no-stdin"], input: [1, 2, 3]).output.isEmpty)
            let client = try ClientProgram.start(
                "submit",
                at: server.url,
                ["--stdin", directory.path + "/pipe", "--", "cat"]
            )
            let writer = open(directory.path + "/pipe", O_WRONLY | O_CLOEXEC)
            #expect(write(writer, "by name", 7) == 7)
            close(writer)
            #expect(try client.finish().text == "by name")
        }
    }

    @Test func `a signal ends the wait for a named pipe without a writer`() throws {
        let directory = try TemporaryDirectory()
        try #require(mkfifo(directory.path + "/pipe", 0o600) == 0)
        let client = try ClientProgram.start(
            "submit",
            at: "http://127.0.0.1:1",
            ["--stdin", directory.path + "/pipe", "--", "cat"]
        )
        // The client has opened the pipe.
        try #require(
            eventually {
                try ProcessTable.descriptors(of: client.pid).contains { name in
                    Int(name).flatMap { ProcessTable.target(ofDescriptor: $0, of: client.pid) } == directory.path
                        + "/pipe"
                }
            }
        )
        client.send(signal: SIGINT)
        #expect(try client.finish().end == .exited(130))
    }

    @Test func `an invalid file is reported before anything is sent`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("file", "x", mode: 0o644)
        try FileManager.default.createDirectory(atPath: directory.path + "/links", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: directory.path + "/links/l",
            withDestinationPath: "/etc/passwd"
        )
        try FileManager.default.createDirectory(atPath: directory.path + "/pipes", withIntermediateDirectories: true)
        try #require(mkfifo(directory.path + "/pipes/p", 0o600) == 0)
        try withServer { server in
            let proxy = try FaultyProxy(to: server.port)
            let cases = [
                (["x=\(directory.path)/missing"], "No such file or directory"),
                (["x=\(directory.path)/links"], "symbolic link"),
                (["x=\(directory.path)/pipes"], "neither a file nor a directory"),
                (["x=\(directory.path)/pipes/p"], "not a regular file"),
                (["x=\(directory.path)/file", "x=\(directory.path)/file"], "More than one --file"),
            ]
            for (files, message) in cases {
                let options = ["--file", "good=\(directory.path)/file"] + files.flatMap { ["--file", $0] }
                let finished = try ClientProgram.submit("true", to: proxy.url, options)
                #expect(finished.end == .exited(125), "\(message)")
                #expect(finished.diagnostics.contains(message), "\(finished.diagnostics)")
            }
            #expect(proxy.requests.isEmpty)
        }
    }

    @Test(.enabled(if: Host.isRoot, "root becomes somebody else")) func `an unreadable file is reported`()
        throws
    {
        let directory = try TemporaryDirectory()
        try directory.write("secret", "x", mode: 0o600)
        let finished = try ChildProcess(
            Host.asOrdinaryUser + [
                Host.sharedProgram, "submit", "--file", "x=\(directory.path)/secret", "--", "true",
            ]
        ).finish()
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("secret: Permission denied"))
    }

    @Test func `a file that changes during its upload is reported`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("file", "before", mode: 0o644)
        let path = directory.path + "/file"
        let server = try ServerProcess()
        // The file changes between HEAD and PUT.
        let fake = try FakeServer { [port = server.port] request in
            if request.line.hasPrefix("HEAD ") {
                try? Data("after!".utf8).write(to: URL(filePath: path))
                return FakeServer.response("404 Not Found", [], [])
            }
            guard let client = try? HTTPClient(port: port),
                (try? client.request("PUT", String(request.line.dropFirst(4)), body: request.body)) != nil,
                let response = try? client.response()
            else { return [] }
            return FakeServer.response(
                "\(response.status) X",
                ["Content-Type: application/problem+json"],
                response.body
            )
        }
        let finished = try ClientProgram.submit("true", to: fake.url, ["--file", "x=\(path)"])
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("The file changed while it was sent"), "\(finished.diagnostics)")
        try server.stop()
    }

    @Test(.needs("script")) func `upload progress is shown only on a terminal`() throws {
        let directory = try TemporaryDirectory()
        for name in ["shown", "other"] {
            try directory.write(name, String(repeating: name, count: 100_000), mode: 0o644)
        }
        try withServer { server in
            // script(1) gives it a terminal.
            let command =
                "\(Host.program) submit --server \(server.url) --file x=\(directory.path)/shown -- echo done"
            let shown = try ChildProcess(["script", "-qec", command, "/dev/null"]).finish()
            #expect(shown.text.contains("% ") || shown.text.contains("MiB"), "\(shown.text)")
            // The progress is erased before the first output of the command.
            #expect(shown.text.hasSuffix("\r\u{1b}[Kdone\r\n"), "\(shown.text)")
            let plain = try ClientProgram.submit("echo done", to: server.url, ["--file", "x=\(directory.path)/other"])
            #expect(plain.text == "done\n" && plain.error.isEmpty)
        }
    }
}
