import Digests
import Foundation
import Glibc
import Testing

/// Artifacts of `sandglass submit`.
struct SubmitArtifactTests {
    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    private func contents(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `artifacts are fetched into their places, whatever the outcome`() throws {
        let folder = try TemporaryFolder()
        try withServer { server in
            let finished = try ClientProgram.submit(
                "mkdir -p 'out/ü b'; echo one > out/one; echo two > 'out/ü b/%2F?#'; chmod +x out/one; echo no > no; exit 3",
                to: server.url,
                ["--artifact", "out/**", "--artifact", "missing", "--output-directory", folder.path + "/new"]
            )
            #expect(finished.end == .exited(3), "\(finished.diagnostics)")
            #expect(contents(folder.path + "/new/out/one") == "one\n")
            #expect(contents(folder.path + "/new/out/ü b/%2F?#") == "two\n")
            #expect(mode(folder.path + "/new/out/one") & 0o111 != 0)
            #expect(mode(folder.path + "/new/out/ü b/%2F?#") & 0o111 == 0)
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/new/no"))
            #expect(finished.diagnostics.contains("missing was not kept"))
            // Nothing of the way they came.
            #expect(try FileManager.default.subpathsOfDirectory(atPath: folder.path + "/new").count == 4)
        }
    }

    @Test(.needs("gcc")) func `a program of several files is built by a run, fetched, and run by another one`() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/src", withIntermediateDirectories: true)
        let main =
            "#include <stdio.h>\n#include \"sum.h\"\nint main(void) { printf(\"%d\\n\", sum(40, 2)); return 7; }\n"
        try folder.write("src/main.c", main, mode: 0o644)
        try folder.write("src/sum.c", "#include \"sum.h\"\nint sum(int a, int b) { return a + b; }\n", mode: 0o644)
        try folder.write("src/sum.h", "int sum(int a, int b);\n", mode: 0o644)
        try withServer { server in
            let built = try ClientProgram.submit(
                "mkdir build && gcc -O2 -Wall -Werror -o build/app src/*.c",
                to: server.url,
                [
                    "--file", "src=\(folder.path)/src", "--artifact", "build/app", "--timeout", "60",
                    "--output-directory", folder.path,
                ]
            )
            #expect(built.end == .exited(0), "\(built.diagnostics)")
            // It runs here, and it runs there; the server has it already.
            let here = try ChildProcess([folder.path + "/build/app"]).finish()
            #expect(here.end == .exited(7) && here.text == "42\n")
            let proxy = try CuttingProxy(to: server.port)
            let ran = try ClientProgram.run(
                "submit",
                at: proxy.url,
                ["--file", "app=\(folder.path)/build/app", "--", "./app"]
            )
            #expect(ran.end == .exited(7) && ran.text == "42\n", "\(ran.diagnostics)")
            #expect(!proxy.requests.contains { $0.hasPrefix("PUT ") })
        }
    }

    @Test func `large ones come over connections that break`() throws {
        let folder = try TemporaryFolder()
        try withServer { server in
            // The connection of the run itself, and three that end within the file.
            let proxy = try CuttingProxy(to: server.port) { [1: 30_000, 2: 500_000, 0: 100_000][$0] }
            let finished = try ClientProgram.submit(
                "head -c 1000000 /dev/urandom > a; sha256sum < a",
                to: proxy.url,
                ["--artifact", "a", "--output-directory", folder.path]
            )
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            let bytes = FileManager.default.contents(atPath: folder.path + "/a").map { Array($0) } ?? []
            #expect(bytes.count == 1_000_000)
            #expect(finished.text.hasPrefix(SHA256Digest(of: bytes).hexadecimal))
            #expect(proxy.connections == 4)
        }
    }

    // MARK: A server that is not trusted

    private func submit(
        _ artifacts: [[String: Any]],
        content: String,
        asking glob: String = "**",
        into folder: String
    ) throws -> ChildProcess.Finished {
        let events = FakeRun.endEvent(FakeRun.finished(artifacts))
        let server = try FakeServer { request in
            if request.line == "POST /runs" { return FakeServer.json("202 Accepted", [], FakeRun.running) }
            if request.line.hasSuffix("/events") { return FakeServer.answer("200 OK", [], events) }
            return FakeServer.answer("200 OK", [], Array(content.utf8))
        }
        return try ClientProgram.submit("true", to: server.url, ["--artifact", glob, "--output-directory", folder])
    }

    private func artifact(_ path: String, _ content: String) -> [String: Any] {
        [
            "path": path, "bytes": content.utf8.count, "executable": true,
            "sha256": SHA256Digest(of: Array(content.utf8)).hexadecimal,
        ]
    }

    @Test(arguments: ["../x", "/x", "a/../../x", "..", ".", "", "a//x", "link/x", "a\u{0}b"])
    func `a path that leads elsewhere is refused, and nothing is written`(path: String) throws {
        let folder = try TemporaryFolder()
        let (inner, outer) = (folder.path + "/inner", folder.path + "/outer")
        for path in [inner, outer] {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        try FileManager.default.createSymbolicLink(atPath: inner + "/link", withDestinationPath: outer)
        let finished = try submit([artifact(path, "evil")], content: "evil", into: inner)
        #expect(finished.end == .exited(125))
        #expect(!finished.diagnostics.isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: inner) == ["link"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: outer).isEmpty)
        #expect(Set(folder.names) == ["inner", "outer"])
        #expect(!FileManager.default.fileExists(atPath: "/x"))
    }

    @Test func `what was not asked for is refused`() throws {
        let folder = try TemporaryFolder()
        let finished = try submit(
            [artifact(".git/hooks/post-checkout", "x")],
            content: "x",
            asking: "out/*",
            into: folder.path
        )
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("was not asked for"))
        #expect(folder.names.isEmpty)
    }

    @Test func `a link in the place of an artifact is replaced, and what it leads to left alone`() throws {
        let folder = try TemporaryFolder()
        try folder.write("target", "mine", mode: 0o644)
        try FileManager.default.createDirectory(atPath: folder.path + "/in", withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/in/a", withDestinationPath: "../target")
        let finished = try submit([artifact("a", "new")], content: "new", into: folder.path + "/in")
        #expect(finished.end == .exited(0), "\(finished.diagnostics)")
        #expect(contents(folder.path + "/target") == "mine")
        #expect(contents(folder.path + "/in/a") == "new")
        #expect(
            try FileManager.default.attributesOfItem(atPath: folder.path + "/in/a")[.type] as? FileAttributeType
                == .typeRegular
        )
    }

    @Test(arguments: ["other", "new and more", "ne"])
    func `content that is another is not kept`(content: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("a", "old", mode: 0o644)
        let finished = try submit([artifact("a", "new")], content: content, into: folder.path)
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("is not what the run left"))
        #expect(contents(folder.path + "/a") == "old")
        #expect(folder.names == ["a"])
    }

    @Test(.enabled(if: Host.isRoot, "only root mounts a small file system"))
    func `a full disk is said to be so, and leaves nothing half`() throws {
        let folder = try TemporaryFolder()
        try #require(mount("tmpfs", folder.path, "tmpfs", 0, "size=64k") == 0)
        defer { umount2(folder.path, Int32(MNT_DETACH)) }
        let content = String(repeating: "x", count: 200_000)
        let finished = try submit([artifact("a", content)], content: content, into: folder.path)
        #expect(finished.end == .exited(125))
        #expect(finished.diagnostics.contains("No space left on device"))
        #expect(folder.names.isEmpty)
    }
}
