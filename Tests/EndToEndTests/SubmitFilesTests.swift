import Digests
import Foundation
import Glibc
import Testing

/// Files and input of `sandglass submit`.
struct SubmitFilesTests {
    private static func blob(_ text: String) -> String {
        "/blobs/sha256:\(SHA256Digest(of: Array(text.utf8)).hexadecimal)"
    }

    @Test func `files and folders are where they were named, with their executable bits`() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/src/deep/er", withIntermediateDirectories: true)
        try folder.write("tool", "#!/bin/sh\necho tool $1\n", mode: 0o755)
        try folder.write("src/a.txt", "a\n", mode: 0o644)
        try folder.write("src/deep/er/ü b", "b\n", mode: 0o700)
        try folder.write("src/empty", "", mode: 0o644)
        try withServer { server in
            let finished = try ClientProgram.submit(
                "bin/tool x; find in -type f | LC_ALL=C sort; cat 'in/deep/er/ü b'; test ! -x in/a.txt && test -x 'in/deep/er/ü b'",
                to: server.url,
                ["--file", "bin/tool=\(folder.path)/tool", "--file", "in=\(folder.path)/src"]
            )
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            #expect(finished.text == "tool x\nin/a.txt\nin/deep/er/ü b\nin/empty\nb\n")
        }
    }

    @Test func `a path alone is both, from the folder in which the command was called`() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/src", withIntermediateDirectories: true)
        try folder.write("src/a", "relative\n", mode: 0o644)
        try withServer { server in
            let finished = try ChildProcess([
                "env", "-C", folder.path, Host.program, "submit", "--server", server.url, "--file", "src/a", "--",
                "cat",
                "src/a",
            ]).finish()
            #expect(finished.text == "relative\n", "\(finished.diagnostics)")
        }
    }

    @Test func `only what the server does not have is sent, and the same content once`() throws {
        let folder = try TemporaryFolder()
        for (name, text) in [("one", "same"), ("two", "same"), ("three", "other")] {
            try folder.write(name, text, mode: 0o644)
        }
        let options = ["one", "two", "three"].flatMap { ["--file", "\($0)=\(folder.path)/\($0)"] }
        try withServer { server in
            let first = try CuttingProxy(to: server.port)
            let ran = try ClientProgram.submit("cat one two three", to: first.url, options)
            #expect(ran.text == "samesameother", "\(ran.diagnostics)")
            let puts = first.requests.filter { $0.hasPrefix("PUT ") }
            #expect(puts == ["PUT \(Self.blob("same"))", "PUT \(Self.blob("other"))"])
            #expect(first.requests.count { $0.hasPrefix("HEAD ") } == 2)
            try folder.write("three", "third", mode: 0o644)
            let second = try CuttingProxy(to: server.port)
            let again = try ClientProgram.submit("cat one two three", to: second.url, options)
            #expect(again.text == "samesamethird")
            #expect(second.requests.filter { $0.hasPrefix("PUT ") } == ["PUT \(Self.blob("third"))"])
        }
    }

    @Test func `large files are sent over connections that break`() throws {
        let folder = try TemporaryFolder()
        var random = RandomBytes(seed: 7)
        let words = (0..<(1 << 20)).map { _ in random.next() }
        let bytes = words.withUnsafeBytes { Data($0) }
        try bytes.write(to: URL(filePath: folder.path + "/large"))
        try withServer { server in
            // The answers to HEAD, and to the first PUT, are lost.
            let proxy = try CuttingProxy(to: server.port) { $0 < 2 ? 0 : nil }
            let finished = try ClientProgram.submit(
                "sha256sum < large",
                to: proxy.url,
                ["--file", "large=\(folder.path)/large"]
            )
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            #expect(finished.text.hasPrefix(SHA256Digest(of: Array(bytes)).hexadecimal))
        }
    }

    @Test func `input comes from a file, a pipe, or this one's own`() throws {
        let folder = try TemporaryFolder()
        try folder.write("in", "from a file", mode: 0o644)
        try #require(mkfifo(folder.path + "/pipe", 0o600) == 0)
        try withServer { server in
            #expect(
                try ClientProgram.submit("cat", to: server.url, ["--stdin", folder.path + "/in"]).text == "from a file"
            )
            let noise = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
            let own = try ClientProgram.submit("cat", to: server.url, ["--stdin", "-"], input: noise)
            #expect(own.output == noise)
            #expect(try ClientProgram.submit("cat", to: server.url, ["--stdin", "/dev/null"]).output.isEmpty)
            #expect(try ClientProgram.submit("cat", to: server.url, input: [1, 2, 3]).output.isEmpty)
            let client = try ClientProgram.start(
                "submit",
                at: server.url,
                ["--stdin", folder.path + "/pipe", "--", "cat"]
            )
            let writer = open(folder.path + "/pipe", O_WRONLY | O_CLOEXEC)
            #expect(write(writer, "by name", 7) == 7)
            close(writer)
            #expect(try client.finish().text == "by name")
        }
    }

    @Test func `a named pipe that nobody writes to does not keep a signal from being heard`() throws {
        let folder = try TemporaryFolder()
        try #require(mkfifo(folder.path + "/pipe", 0o600) == 0)
        let client = try ClientProgram.start(
            "submit",
            at: "http://127.0.0.1:1",
            ["--stdin", folder.path + "/pipe", "--", "cat"]
        )
        // Its own descriptor of it is there.
        try #require(
            eventually {
                try ProcessTable.descriptors(of: client.pid).contains { name in
                    Int(name).flatMap { ProcessTable.target(ofDescriptor: $0, of: client.pid) } == folder.path + "/pipe"
                }
            }
        )
        client.send(signal: SIGINT)
        #expect(try client.finish().end == .exited(130))
    }

    @Test func `what cannot be sent is said before anything is`() throws {
        let folder = try TemporaryFolder()
        try folder.write("file", "x", mode: 0o644)
        try FileManager.default.createDirectory(atPath: folder.path + "/links", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/links/l", withDestinationPath: "/etc/passwd")
        try FileManager.default.createDirectory(atPath: folder.path + "/pipes", withIntermediateDirectories: true)
        try #require(mkfifo(folder.path + "/pipes/p", 0o600) == 0)
        try withServer { server in
            let proxy = try CuttingProxy(to: server.port)
            let cases = [
                (["x=\(folder.path)/missing"], "No such file or directory"),
                (["x=\(folder.path)/links"], "symbolic link"),
                (["x=\(folder.path)/pipes"], "neither a file nor a folder"),
                (["x=\(folder.path)/pipes/p"], "no regular file"),
                (["x=\(folder.path)/file", "x=\(folder.path)/file"], "More than one --file"),
            ]
            for (files, what) in cases {
                let options = ["--file", "good=\(folder.path)/file"] + files.flatMap { ["--file", $0] }
                let finished = try ClientProgram.submit("true", to: proxy.url, options)
                #expect(finished.end == .exited(125), "\(what)")
                #expect(finished.diagnostics.contains(what), "\(finished.diagnostics)")
            }
            #expect(proxy.requests.isEmpty)
        }
    }

    @Test(.enabled(if: Host.isRoot, "root becomes somebody else")) func `a file that may not be read is said to be so`()
        throws
    {
        let folder = try TemporaryFolder()
        try folder.write("secret", "x", mode: 0o600)
        let finished = try ChildProcess(
            Host.asOrdinaryUser + [
                Host.sharedProgram, "submit", "--file", "x=\(folder.path)/secret", "--", "true",
            ]
        ).finish()
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("secret: Permission denied"))
    }

    @Test func `a file that changes on its way is said to have changed`() throws {
        let folder = try TemporaryFolder()
        try folder.write("file", "before", mode: 0o644)
        let path = folder.path + "/file"
        let server = try ServerProcess()
        // Between the question whether it is there and its content.
        let fake = try FakeServer { [port = server.port] request in
            if request.line.hasPrefix("HEAD ") {
                try? Data("after!".utf8).write(to: URL(filePath: path))
                return FakeServer.answer("404 Not Found", [], [])
            }
            guard let client = try? HTTPClient(port: port),
                (try? client.request("PUT", String(request.line.dropFirst(4)), body: request.body)) != nil,
                let answer = try? client.answer()
            else { return [] }
            return FakeServer.answer("\(answer.status) X", ["Content-Type: application/problem+json"], answer.body)
        }
        let finished = try ClientProgram.submit("true", to: fake.url, ["--file", "x=\(path)"])
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("It changed while it was sent"), "\(finished.diagnostics)")
        try server.stop()
    }

    @Test(.needs("script")) func `what is sent is shown on a terminal, and nowhere else`() throws {
        let folder = try TemporaryFolder()
        for name in ["shown", "other"] { try folder.write(name, String(repeating: name, count: 100_000), mode: 0o644) }
        try withServer { server in
            // script(1) gives it a terminal.
            let command =
                "\(Host.program) submit --server \(server.url) --file x=\(folder.path)/shown -- echo done"
            let shown = try ChildProcess(["script", "-qec", command, "/dev/null"]).finish()
            #expect(shown.text.contains("% ") || shown.text.contains("MiB"), "\(shown.text)")
            // It is gone before the command says something.
            #expect(shown.text.hasSuffix("\r\u{1b}[Kdone\r\n"), "\(shown.text)")
            let plain = try ClientProgram.submit("echo done", to: server.url, ["--file", "x=\(folder.path)/other"])
            #expect(plain.text == "done\n" && plain.error.isEmpty)
        }
    }
}
