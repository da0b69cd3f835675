import Foundation
import Glibc
import System
import Testing

/// `sandglass submit --artifact`.
struct SubmitArtifactTests {
    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    private func contents(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `artifacts are fetched into the output directory for every outcome`() throws {
        let directory = try TemporaryDirectory()
        try withServer { server in
            let finished = try ClientProgram.submit(
                "mkdir -p 'out/ü b'; echo one > out/one; echo two > 'out/ü b/%2F?#'; chmod +x out/one; echo no > no; exit 3",
                to: server.url,
                ["--artifact", "out/**", "--artifact", "missing", "--output-directory", directory.path + "/new"]
            )
            #expect(finished.end == .exited(3), "\(finished.diagnostics)")
            #expect(contents(directory.path + "/new/out/one") == "one\n")
            #expect(contents(directory.path + "/new/out/ü b/%2F?#") == "two\n")
            #expect(mode(directory.path + "/new/out/one") & 0o111 != 0)
            #expect(mode(directory.path + "/new/out/ü b/%2F?#") & 0o111 == 0)
            #expect(!FileManager.default.fileExists(atPath: directory.path + "/new/no"))
            #expect(finished.diagnostics.contains("missing was not kept"))
            // No temporary file remains.
            #expect(try FileManager.default.subpathsOfDirectory(atPath: directory.path + "/new").count == 4)
        }
    }

    @Test(.needs("gcc")) func `one run builds a program, and another run executes it`() throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path + "/src", withIntermediateDirectories: true)
        let main =
            "#include <stdio.h>\n#include \"sum.h\"\nint main(void) { printf(\"%d\\n\", sum(40, 2)); return 7; }\n"
        try directory.write("src/main.c", main, mode: 0o644)
        try directory.write("src/sum.c", "#include \"sum.h\"\nint sum(int a, int b) { return a + b; }\n", mode: 0o644)
        try directory.write("src/sum.h", "int sum(int a, int b);\n", mode: 0o644)
        try withServer { server in
            let built = try ClientProgram.submit(
                "mkdir build && gcc -O2 -Wall -Werror -o build/app src/*.c",
                to: server.url,
                [
                    "--file", "src=\(directory.path)/src", "--artifact", "build/app", "--timeout", "60",
                    "--output-directory", directory.path,
                ]
            )
            #expect(built.end == .exited(0), "\(built.diagnostics)")
            // The program runs here and on the server, which has its blob already.
            let here = try ChildProcess([directory.path + "/build/app"]).finish()
            #expect(here.end == .exited(7) && here.text == "42\n")
            let proxy = try FaultyProxy(to: server.port)
            let ran = try ClientProgram.run(
                "submit",
                at: proxy.url,
                ["--file", "app=\(directory.path)/build/app", "--", "./app"]
            )
            #expect(ran.end == .exited(7) && ran.text == "42\n", "\(ran.diagnostics)")
            #expect(!proxy.requests.contains { $0.hasPrefix("PUT ") })
        }
    }

    @Test func `a large artifact is resumed over broken connections`() throws {
        let directory = try TemporaryDirectory()
        try withServer { server in
            // The first connection is that of the run itself. Three more break within the file.
            let proxy = try FaultyProxy(to: server.port) { [1: 30_000, 2: 500_000, 0: 100_000][$0] }
            let finished = try ClientProgram.submit(
                "head -c 1000000 /dev/urandom > a; sha256sum < a",
                to: proxy.url,
                ["--artifact", "a", "--output-directory", directory.path]
            )
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            let bytes = FileManager.default.contents(atPath: directory.path + "/a").map { Array($0) } ?? []
            #expect(bytes.count == 1_000_000)
            #expect(finished.text.hasPrefix(SHA256Digest(of: bytes).hexadecimal))
            #expect(proxy.connections == 4)
        }
    }

    // MARK: A malicious server

    private func submit(
        _ artifacts: [[String: Any]],
        content: String,
        asking glob: String = "**",
        into directory: String
    ) throws -> ChildProcess.Finished {
        let events = FakeRun.endEvent(FakeRun.finished(artifacts))
        let server = try FakeServer { request in
            if request.line == "POST /runs" { return FakeServer.json("202 Accepted", [], FakeRun.running) }
            if request.line.hasSuffix("/events") { return FakeServer.response("200 OK", [], events) }
            return FakeServer.response("200 OK", [], Array(content.utf8))
        }
        return try ClientProgram.submit("true", to: server.url, ["--artifact", glob, "--output-directory", directory])
    }

    private func artifact(_ path: String, _ content: String) -> [String: Any] {
        [
            "path": path, "bytes": content.utf8.count, "executable": true,
            "sha256": SHA256Digest(of: Array(content.utf8)).hexadecimal,
        ]
    }

    @Test(arguments: ["../x", "/x", "a/../../x", "..", ".", "", "a//x", "link/x", "a\u{0}b"])
    func `an artifact path outside the output directory is refused`(path: String) throws {
        let directory = try TemporaryDirectory()
        let (inner, outer) = (directory.path + "/inner", directory.path + "/outer")
        for path in [inner, outer] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        try FileManager.default.createSymbolicLink(atPath: inner + "/link", withDestinationPath: outer)
        let finished = try submit([artifact(path, "evil")], content: "evil", into: inner)
        #expect(finished.end == .exited(125))
        #expect(!finished.diagnostics.isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: inner) == ["link"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: outer).isEmpty)
        #expect(Set(directory.names) == ["inner", "outer"])
        #expect(!FileManager.default.fileExists(atPath: "/x"))
    }

    @Test func `an artifact that was not requested is refused`() throws {
        let directory = try TemporaryDirectory()
        let finished = try submit(
            [artifact(".git/hooks/post-checkout", "x")],
            content: "x",
            asking: "out/*",
            into: directory.path
        )
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("was not asked for"))
        #expect(directory.names.isEmpty)
    }

    @Test func `an artifact replaces a link and not the link's target`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("target", "mine", mode: 0o644)
        try FileManager.default.createDirectory(atPath: directory.path + "/in", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: directory.path + "/in/a", withDestinationPath: "../target")
        let finished = try submit([artifact("a", "new")], content: "new", into: directory.path + "/in")
        #expect(finished.end == .exited(0), "\(finished.diagnostics)")
        #expect(contents(directory.path + "/target") == "mine")
        #expect(contents(directory.path + "/in/a") == "new")
        #expect(
            try FileManager.default.attributesOfItem(atPath: directory.path + "/in/a")[.type] as? FileAttributeType
                == .typeRegular
        )
    }

    @Test(arguments: ["other", "new and more", "ne"])
    func `content with another digest is discarded`(content: String) throws {
        let directory = try TemporaryDirectory()
        try directory.write("a", "old", mode: 0o644)
        let finished = try submit([artifact("a", "new")], content: content, into: directory.path)
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("does not match its size and digest"))
        #expect(contents(directory.path + "/a") == "old")
        #expect(directory.names == ["a"])
    }

    @Test(.enabled(if: Host.isRoot, "only root mounts a small file system"))
    func `a full disk is reported and leaves no partial file`() throws {
        let directory = try TemporaryDirectory()
        try #require(mount("tmpfs", directory.path, "tmpfs", 0, "size=64k") == 0)
        defer { umount2(directory.path, Int32(MNT_DETACH)) }
        let content = String(repeating: "x", count: 200_000)
        let finished = try submit([artifact("a", content)], content: content, into: directory.path)
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("No space left on device"))
        #expect(directory.names.isEmpty)
    }
}
