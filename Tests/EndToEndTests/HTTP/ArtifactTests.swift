import Foundation
import Glibc
import System
import TestSupport
import Testing

/// Artifacts: the files that a run keeps.
struct ArtifactTests {
    private func fetch(_ run: RunDocument, _ path: String, _ server: ServerProcess) throws -> [UInt8] {
        let response = try server.get("/runs/\(run.id)/artifacts/\(path)")
        try #require(response.status == 200, "\(response.text)")
        return response.body
    }

    @Test func `artifacts can be read by their paths and as blobs`() throws {
        try withServer { server in
            let script = """
                mkdir -p out/deep .hidden; printf 'hello\\n' > out/a; printf '#!/bin/sh\\necho ran\\n' > out/deep/run
                chmod 700 out/deep/run; : > out/empty; echo dot > .hidden/.x; echo no > other; umask 077; echo s > out/s
                """
            let run = try server.shell(script, ["artifacts": ["out/**", ".hidden/*"]])
            #expect(run.end == .exited(0))
            #expect(run.omittedArtifacts == nil)
            #expect(run.artifacts.map(\.path) == [".hidden/.x", "out/a", "out/deep/run", "out/empty", "out/s"])
            #expect(run.artifacts.map(\.executable) == [false, false, true, false, false])
            #expect(run.artifacts.map(\.bytes) == [4, 6, 19, 0, 2])
            #expect(run.artifacts[1].sha256 == SHA256Digest(of: Array("hello\n".utf8)).hexadecimal)
            #expect(try fetch(run, "out/a", server) == Array("hello\n".utf8))
            #expect(try fetch(run, ".hidden/.x", server) == Array("dot\n".utf8))
            #expect(try fetch(run, "out/empty", server) == [])
            let blob = try server.get("/blobs/sha256:\(run.artifacts[2].sha256)")
            #expect(blob.text == "#!/bin/sh\necho ran\n")
            let part = try server.get("/runs/\(run.id)/artifacts/out/a", ["Range: bytes=1-2"])
            #expect((part.status, part.text) == (206, "el"))
            let tag = try #require(part.headers["etag"])
            #expect(try server.get("/runs/\(run.id)/artifacts/out/a", ["If-None-Match: \(tag)"]).status == 304)
            let file: [String: Any] = ["blob": "sha256:\(run.artifacts[2].sha256)", "executable": true]
            #expect(try server.run(["./run"], ["files": ["run": file]]).stdout.text == "ran\n")
            let unknown = try server.get("/runs/\(run.id)/artifacts/other")
            #expect(unknown.status == 404)
            #expect(try unknown.problem().detail.contains("other"))
        }
    }

    @Test(arguments: [
        ("echo x > f; kill -9 $$", "signaled", [:] as [String: Double]),
        ("echo x > f; sleep 60", "timed_out", ["timeoutSeconds": 0.3]),
        ("echo x > f; exit 3", "exited", [:]),
        ("echo x > f; (setsid sh -c 'sleep 60; echo y > f' &) ; exit 0", "exited", [:]),
    ])
    func `artifacts are stored for every outcome`(script: String, outcome: String, members: [String: Double]) throws {
        try withServer { server in
            var members: [String: Any] = members
            members["artifacts"] = ["f"]
            let run = try server.shell(script, members)
            #expect(run.outcome == outcome)
            #expect(run.artifacts.map(\.path) == ["f"])
            #expect(try fetch(run, "f", server) == Array("x\n".utf8))
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `a run that fills its memory with files keeps its artifacts`() throws {
        try withServer("--max-artifacts", "4000") { server in
            let script = #"""
                for $d (1 .. 30) { mkdir "d$d"; for (1 .. 100) { open F, ">", "d$d/f$_" or die; print F "x" x 3000; close F } }
                open F, ">", "large"; $b = "y" x 65536; while (1) { syswrite(F, $b) or die }
                """#
            let members: [String: Any] = ["artifacts": ["**"], "limits": ["memoryBytes": 32 << 20]]
            let run = try server.perl(script, members)
            // Version 2 kills the whole group together with its sandbox.
            guard run.enforcement["memory"] == "cgroup1" else { return }
            #expect(run.end == .memoryLimit)
            #expect(run.artifacts.count == 3001)
            #expect(run.omittedArtifacts == nil)
        }
    }

    @Test func `links, pipes, sockets and unreadable files are omitted with a reason and never followed`() throws {
        try withServer { server in
            let script = #"""
                use Socket; use POSIX;
                symlink "/etc/passwd", "link"; symlink "..", "up"; symlink "loop", "loop"; symlink "real", "linked";
                symlink "\xff", "latin"; symlink "real/../../box/real", "out";
                mkdir "real"; open F, ">", "real/x"; print F "x"; close F;
                link "real/x", "hard"; mkfifo("fifo", 0666);
                socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("socket"));
                open F, ">", "giant"; truncate F, (256 << 20) + 1; close F;
                open F, ">", "secret"; print F "x"; close F; chmod 0, "secret";
                mkdir "closed"; open F, ">", "closed/x"; close F; chmod 0, "closed";
                mkdir "blind"; open F, ">", "blind/x"; close F; chmod 0400, "blind";
                open F, ">", "a\nb"; print F "newline"; close F;
                open F, ">", "bad\xff"; close F; mkdir "dir\xfe"; open F, ">", "dir\xfe/x"; close F;
                open F, ">", "-rf"; close F;
                """#
            let run = try server.perl(script, ["artifacts": ["**", "linked/*"]])
            #expect(run.stderr.text == "")
            #expect(run.artifacts.map(\.path) == ["-rf", "a\nb", "hard", "linked", "loop", "real/x"])
            #expect(run.artifacts.compactMap(\.symlink) == ["real", "loop"])
            #expect(
                Set(run.omitted) == [
                    "link: symbolic_link", "up: symbolic_link", "latin: symbolic_link", "out: symbolic_link",
                    "fifo: not_a_file", "socket: not_a_file", "giant: too_large", "secret: unreadable",
                    "closed: unreadable", "blind/x: unreadable", "bad\u{FFFD}: name_not_utf8",
                    "dir\u{FFFD}/x: name_not_utf8", "linked/*: no_match",
                ]
            )
            #expect(run.omittedArtifactCount == 13)
            #expect(try fetch(run, "a%0Ab", server) == Array("newline".utf8))
        }
    }

    @Test func `links and empty directories are kept as what they are`() throws {
        try withServer { server in
            let script = """
                mkdir -p lib/deep 'empty ä' full/empty; echo x > lib/libx.so.1; echo y > full/y; ln -s libx.so.1 lib/libx.so
                ln -s ../libx.so.1 lib/deep/up; ln -s missing/../x dangling; ln -s lib dir; ln -s . lib/self
                ln -s $(printf 'l%.0s' $(seq 200)) long; rmdir full/empty; mkdir full/empty
                """
            let run = try server.shell(script, ["artifacts": ["**"]])
            #expect(run.end == .exited(0), "\(run.stderr.text)")
            #expect(run.omittedArtifacts == nil)
            let links = run.artifacts.compactMap { artifact in artifact.symlink.map { "\(artifact.path) -> \($0)" } }
            let long = String(repeating: "l", count: 200)
            #expect(
                links == [
                    "dangling -> missing/../x", "dir -> lib", "lib/deep/up -> ../libx.so.1", "lib/libx.so -> libx.so.1",
                    "lib/self -> .", "long -> \(long)",
                ]
            )
            #expect(run.artifacts.filter { $0.directory == true }.map(\.path) == ["empty ä", "full/empty"])
            let response = try server.get("/runs/\(run.id)/artifacts/lib/libx.so")
            #expect(response.status == 404)
            #expect(try response.problem().detail.contains("a symbolic link to libx.so.1"))
            #expect(try server.get("/runs/\(run.id)/artifacts/full/empty").status == 404)
            // A pattern that ends in a name keeps links, and no directory.
            let named = try server.shell(script, ["artifacts": ["lib/*", "dir/*", "*ä"]])
            #expect(named.artifacts.map(\.path) == ["lib/libx.so", "lib/libx.so.1", "lib/self"])
            #expect(
                named.omitted == ["dir: symbolic_link", "empty ä: directory", "lib/deep: directory", "dir/*: no_match"]
            )
            // What tar unpacks is the input of the next run.
            let archive = try server.get("/runs/\(run.id)/artifacts.tar").body
            let files = [".": ["tar": ["base64": Data(archive).base64EncodedString()]]]
            let again = try server.shell("cat lib/libx.so dir/libx.so.1", ["files": files, "artifacts": ["**"]])
            #expect(again.stdout.text == "x\nx\n", "\(again)")
            #expect(again.artifacts == run.artifacts)
        }
    }

    @Test func `the limits of artifacts count links and empty directories`() throws {
        let server = try ServerProcess(["--max-artifacts", "2"])
        let run = try server.shell("ln -s x a; mkdir b; ln -s x c; mkdir d", ["artifacts": ["**"]])
        #expect(run.artifacts.map(\.path) == ["a", "b"])
        #expect(run.omitted == ["c: too_many", "d: too_many"])
        try server.stop()
    }

    @Test func `a directory and a pattern without matches are listed as omitted`() throws {
        try withServer { server in
            let run = try server.shell("mkdir out; echo x > out/x", ["artifacts": ["out", "nothing/*", "out/x"]])
            #expect(run.artifacts.map(\.path) == ["out/x"])
            #expect(run.omitted == ["out: directory", "nothing/*: no_match"])
        }
    }

    @Test func `an unreadable working directory is listed as omitted`() throws {
        try withServer { server in
            let run = try server.shell("echo x > f; chmod 0 .", ["artifacts": ["f"]])
            #expect(run.end == .exited(0))
            #expect(run.artifacts.isEmpty)
            #expect(run.omitted.first == ".: unreadable")
        }
    }

    @Test func `artifacts beyond the limits of count, size, sum and depth are omitted with a reason`() throws {
        let flags = [
            "--max-artifacts", "4", "--max-artifact-bytes", "100", "--max-artifacts-bytes", "250",
            "--max-artifact-depth", "2",
        ]
        let server = try ServerProcess(flags)
        let script = """
            head -c 100 /dev/zero > a; head -c 101 /dev/zero > b; head -c 100 /dev/zero > c; head -c 51 /dev/zero > d
            head -c 50 /dev/zero > e; mkdir -p x/y/z; echo > x/y/z/deep; : > x/y/f; : > z; : > zz
            """
        let run = try server.shell(script, ["artifacts": ["**"]])
        #expect(run.artifacts.map(\.path) == ["a", "c", "e", "x/y/f"])
        #expect(
            run.omitted == [
                "b: too_large", "d: total_too_large", "x/y/z: too_deep", "z: too_many", "zz: too_many",
            ]
        )
        try server.stop()
    }

    @Test func `sixty thousand files yield a thousand artifacts and the first hundred omissions`() throws {
        try withServer { server in
            let script = #"for my $i (1 .. 60000) { open F, ">", sprintf "f%05d", $i or die }"#
            let run = try server.perl(script, ["artifacts": ["**"], "timeoutSeconds": 60, "limits": ["openFiles": 64]])
            #expect(run.end == .exited(0))
            #expect(run.artifacts.count == 1000)
            #expect(run.artifacts.first?.path == "f00001")
            #expect(run.artifacts.last?.path == "f01000")
            #expect(run.omittedArtifactCount == 59000)
            #expect(run.omittedArtifacts?.count == 100)
            let list = try server.get("/runs")
            #expect(list.status == 200)
            #expect(list.text.contains("f01000"))
        }
    }

    @Test func `directories deeper than the longest path are omitted`() throws {
        try withServer { server in
            let script =
                #"for (1 .. 300) { mkdir "d" x 200 or die; chdir "d" x 200 or die } open F, ">", "x"; print "deep""#
            let run = try server.perl(script, ["artifacts": ["**/x"]])
            #expect(run.stdout.text == "deep")
            #expect(run.artifacts.isEmpty)
            #expect(run.omittedArtifacts?.map(\.reason) == ["too_deep", "no_match"])
        }
    }

    // MARK: The archive

    @Test func `tar unpacks the archive of all artifacts`() throws {
        try withServer { server in
            let script = """
                mkdir -p out; head -c 100000 /dev/urandom > out/random; printf x > 'out/ä ö'; : > out/empty
                printf '#!/bin/sh\\n' > out/run; chmod +x out/run
                d=out/\(String(repeating: "l", count: 90))/\(String(repeating: "m", count: 90)); mkdir -p $d; echo long > $d/f
                """
            let run = try server.shell(script, ["artifacts": ["out/**"]])
            let response = try server.get("/runs/\(run.id)/artifacts.tar")
            #expect(response.status == 200)
            #expect(response.headers["content-type"] == "application/x-tar")
            #expect(response.headers["content-disposition"] == "attachment; filename=\"\(run.id).tar\"")
            let directory = try TemporaryDirectory()
            let archive = directory.path + "/a.tar"
            try Data(response.body).write(to: URL(fileURLWithPath: archive))
            let tar = Process()
            tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            tar.arguments = ["tar", "-xf", archive, "-C", directory.path]
            try tar.run()
            tar.waitUntilExit()
            #expect(tar.terminationStatus == 0)
            for artifact in run.artifacts {
                let path = directory.path + "/" + artifact.path
                let data = try Data(contentsOf: URL(fileURLWithPath: path))
                #expect(SHA256Digest(of: Array(data)).hexadecimal == artifact.sha256, "\(artifact.path)")
                #expect((access(path, X_OK) == 0) == artifact.executable, "\(artifact.path)")
            }
            #expect(run.artifacts.count == 5)
            let linked = try server.shell(
                "mkdir -p out/empty; echo x > out/x; ln -s ../out/x out/l; ln -s $(printf 'l%.0s' $(seq 200)) out/long",
                ["artifacts": ["out/**"]]
            )
            try Data(try server.get("/runs/\(linked.id)/artifacts.tar").body).write(to: URL(fileURLWithPath: archive))
            let links = try ChildProcess(["tar", "-xf", archive, "-C", directory.path]).finish()
            #expect(links.end == .exited(0), "\(links.diagnostics)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path + "/out/empty").isEmpty)
            let target = try FileManager.default.destinationOfSymbolicLink(atPath: directory.path + "/out/l")
            #expect(target == "../out/x")
            let long = try FileManager.default.destinationOfSymbolicLink(atPath: directory.path + "/out/long")
            #expect(long == String(repeating: "l", count: 200))
            let none = try server.run(["true"])
            #expect(try server.get("/runs/\(none.id)/artifacts.tar").body == [UInt8](repeating: 0, count: 1024))
        }
    }

    @Test func `artifacts of an unfinished run get 409`() throws {
        try withServer { server in
            let run = try server.submit(["sleep", Marker.nap()], ["artifacts": ["**"]])
            for path in ["artifacts/x", "artifacts.tar"] {
                let response = try server.get("/runs/\(run.id)/\(path)")
                #expect(response.status == 409)
            }
            #expect(try server.get("/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/artifacts.tar").status == 404)
            #expect(try server.send("POST", "/runs/\(run.id)/cancel").status == 202)
            #expect(try server.finished(run).outcome == "cancelled")
        }
    }

    // MARK: Storage

    @Test func `artifacts survive a kill of the server and are deleted with their run`() throws {
        let directory = try TemporaryDataDirectory()
        let first = try directory.server("--keep-blobs-for", "1")
        let run = try first.shell("echo kept > f", ["artifacts": ["f"]])
        try first.kill()
        let second = try directory.server("--keep-blobs-for", "1")
        #expect(try second.get("/runs/\(run.id)").run().artifacts == run.artifacts)
        #expect(try fetch(run, "f", second) == Array("kept\n".utf8))
        #expect(try second.send("DELETE", "/runs/\(run.id)").status == 204)
        #expect(try second.get("/runs/\(run.id)/artifacts/f").status == 404)
        try second.stop()
    }

    @Test func `artifacts are visible to their principal only`() throws {
        let tokens = try TokenDirectory()
        let (own, other) = try (
            "Authorization: Bearer \(tokens.add("a", "--role", "run", "--role", "read"))",
            "Authorization: Bearer \(tokens.add("b", "--role", "run", "--role", "read"))"
        )
        let server = try ServerProcess(["--tokens", tokens.path])
        let body = try ServerProcess.body(["sh", "-c", "echo x > f"], ["artifacts": ["f"]])
        let run = try server.post(body, query: "?wait=60", [own]).run()
        let blob = "/blobs/sha256:\(run.artifacts[0].sha256)"
        for path in ["/runs/\(run.id)/artifacts/f", "/runs/\(run.id)/artifacts.tar", blob] {
            #expect(try server.get(path, [own]).status == 200)
            #expect(try server.get(path, [other]).status == 404)
            #expect(try server.get(path).status == 401)
        }
        try server.stop()
    }

    @Test func `the result cache distinguishes artifact patterns`() throws {
        try withServer { server in
            let first = try server.shell("echo x > f", ["cache": true, "artifacts": ["f"]])
            let again = try server.shell("echo x > f", ["cache": true, "artifacts": ["f"]])
            #expect(again.id == first.id)
            #expect(again.artifacts == first.artifacts)
            #expect(try server.shell("echo x > f", ["cache": true, "artifacts": ["*"]]).id != first.id)
        }
    }

    @Test func `an artifact beyond the blob quota is listed as not stored`() throws {
        try withServer("--blob-bytes", "8192") { server in
            let run = try server.shell("head -c 5000 /dev/zero > a; head -c 5001 /dev/zero > b", ["artifacts": ["*"]])
            #expect(run.artifacts.map(\.path) == ["a"])
            #expect(run.omitted == ["b: not_stored"])
        }
    }

    @Test func `concurrent runs keep their own artifacts`() throws {
        try withServer("--concurrency", "8") { server in
            let script = "echo $$-$(cat /proc/sys/kernel/random/uuid) | tee f; head -c 3000000 /dev/zero > g"
            let runs = try server.runTogether(24, ["sh", "-c", script], ["artifacts": ["*"]])
            for run in runs {
                #expect(run.artifacts.map(\.path) == ["f", "g"])
                #expect(try fetch(run, "f", server) == Array(run.stdout.text.utf8))
            }
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `a server that is stopped while it collects artifacts ends with its sandboxes`() throws {
        let directory = try TemporaryDataDirectory()
        let server = try directory.server("--max-artifact-bytes", "1073741824", "--concurrency", "4")
        let limits: [String: Any] = ["limits": ["diskBytes": 512 << 20, "memoryBytes": 1 << 30], "artifacts": ["*"]]
        let runs = try (0..<2).map { _ in
            try server.submit(["sh", "-c", "head -c 300M /dev/zero > f; echo written; exit 0"], limits)
        }
        // The server collects the file once the command has written this line.
        for run in runs {
            #expect(eventually { (try? server.get("/runs/\(run.id)").run().stdout.text == "written\n") == true })
        }
        try server.stop()
        let next = try directory.server()
        for run in runs { #expect(try next.finished(run).state == "finished") }
        try next.stop()
    }
}
