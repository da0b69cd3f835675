import Foundation
import Glibc
import System
import TestSupport
import Testing

/// Input files of a run: `"files"` and blobs.
struct FilesTests {
    @Test func `input files are in the working directory and belong to the run`() throws {
        try withServer { server in
            let bytes = Data((0...255).map { UInt8($0) })
            let files: [String: Any] = [
                "a.txt": "text é\n", "deep/er/b": ["base64": bytes.base64EncodedString()], "empty": "",
                "run me": ["base64": Data("#!/bin/sh\necho ran\n".utf8).base64EncodedString(), "executable": true],
                "-n": "dash",
            ]
            let script = """
                cat a.txt; sha256sum < deep/er/b; ./'run me'; wc -c < empty; cat ./-n; echo
                stat -c '%a %u %g %F %n' . a.txt deep deep/er deep/er/b 'run me'
                rm -r deep a.txt && echo > deep && ls
                """
            let run = try server.shell(script, ["files": files])
            #expect(run.stderr.text == "")
            let digest = "40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880"
            let expected = [
                "text é", "\(digest)  -", "ran", "0", "dash", "755 1000 1000 directory .",
                "644 1000 1000 regular file a.txt", "755 1000 1000 directory deep", "755 1000 1000 directory deep/er",
                "644 1000 1000 regular file deep/er/b", "755 1000 1000 regular file run me", "-n", "deep", "empty",
                "run me",
            ]
            let lines = run.stdout.text.split(separator: "\n").map(String.init)
            #expect(lines.filter { !$0.hasSuffix("directory .") } == expected.filter { !$0.hasSuffix("directory .") })
        }
    }

    @Test func `input files may be links and empty directories`() throws {
        try withServer { server in
            let files: [String: Any] = [
                "lib/libx.so.1": "x\n", "lib/libx.so": ["symlink": "libx.so.1"], "bin/x": ["symlink": "../lib/libx.so"],
                "empty/deep": ["directory": true], "lib": ["directory": true], "dangling": ["symlink": "missing"],
            ]
            let script = """
                cat bin/x; readlink bin/x dangling lib/libx.so; stat -c '%a %u %F %n' empty empty/deep lib bin; ls empty/deep
                touch empty/deep/f lib/f && rm bin/x
                """
            let run = try server.shell(script, ["files": files])
            #expect(run.stderr.text == "")
            #expect(
                run.stdout.text == """
                    x
                    ../lib/libx.so
                    missing
                    libx.so.1
                    755 1000 directory empty
                    755 1000 directory empty/deep
                    755 1000 directory lib
                    755 1000 directory bin

                    """
            )
            let refused: [String: Any] = [
                "a": ["symlink": "/etc/passwd"], "b": ["symlink": "../x"], "c": ["symlink": ""],
                "d": ["symlink": "d\u{0}"], "e": ["symlink": String(repeating: "x/", count: 2048)],
                "f": ["symlink": "d"], "f/x": "", "g": ["directory": false],
            ]
            let response = try server.post(ServerProcess.body(["true"], ["files": refused]))
            #expect(response.status == 422)
            #expect(
                try Set(response.problem().pointers) == [
                    "/files/a/symlink", "/files/b/symlink", "/files/c/symlink", "/files/d/symlink", "/files/e/symlink",
                    "/files/f~1x", "/files/g/directory",
                ]
            )
        }
    }

    @Test func `a queued run keeps its links over a kill of the server`() throws {
        let directory = try TemporaryDataDirectory()
        let first = try directory.server("--concurrency", "1")
        _ = try first.submit(["sleep", Marker.nap()])
        let files: [String: Any] = ["l": ["symlink": "d"], "d": ["directory": true]]
        let queued = try first.submit(["sh", "-c", "touch l/x; ls d; readlink l"], ["files": files])
        try first.kill()
        let second = try directory.server("--concurrency", "1")
        #expect(try second.finished(queued).stdout.text == "x\nd\n")
        try second.stop()
    }

    @Test func `a run may have a thousand files, one of them of four megabytes`() throws {
        try withServer { server in
            var files: [String: Any] = [:]
            for number in 0..<999 { files["d\(number % 7)/f\(number)"] = "\(number)\n" }
            files["large"] = String(repeating: "0123456789abcde\n", count: 1 << 18)
            let run = try server.shell(
                "find . -type f | wc -l; cat d*/f* | sort -n | tail -n 1; wc -c < large",
                ["files": files]
            )
            #expect(run.stdout.text == "1000\n998\n4194304\n")
        }
    }

    @Test func `a file beyond the disk limit is named in the start failure`() throws {
        try withServer { server in
            let files = ["fits": "x", "large": String(repeating: "x", count: 100_000)]
            let run = try server.run(["true"], ["files": files, "limits": ["diskBytes": 65536]])
            #expect(run.end == .startFailed)
            #expect(run.error?.step == "files")
            #expect(run.error?.errno == "ENOSPC")
            #expect(run.error?.detail.contains("large") == true)
        }
    }

    @Test func `a queued run keeps its files over a kill of the server`() throws {
        let directory = try TemporaryDataDirectory()
        let first = try directory.server("--concurrency", "1")
        _ = try first.submit(["sleep", Marker.nap()])
        let queued = try first.submit(["sh", "x/script", "a"], ["files": ["x/script": "echo \"$1\" from a file"]])
        try first.kill()
        let second = try directory.server("--concurrency", "1")
        #expect(try second.finished(queued).stdout.text == "a from a file\n")
        try second.stop()
    }

    @Test func `the result cache distinguishes input files`() throws {
        try withServer { server in
            func run(_ files: [String: Any]) throws -> RunDocument {
                try server.run(["sh", "-c", "cat *"], ["files": files, "cache": true])
            }
            let first = try run(["a": "1"])
            #expect(try run(["a": "1"]).id == first.id)
            #expect(try run(["a": "2"]).stdout.text == "2")
            #expect(try run(["b": "1"]).id != first.id)
            let executable = ["a": ["base64": Data("1".utf8).base64EncodedString(), "executable": true]]
            #expect(try run(executable).id != first.id)
            let link = try run(["a": "1", "l": ["symlink": "a"]])
            #expect(try run(["a": "1", "l": ["symlink": "./a"]]).id != link.id)
            #expect(try run(["a": "1", "l": ["directory": true]]).id != link.id)
        }
    }

    @Test func `all invalid paths are refused at once`() throws {
        try withServer { server in
            let response = try server.post(
                #"{"command": ["true"], "files": {"/a": "", "../b": "", "c/../../d": "", "": "", "e": 1, "f": "", "f/g": ""}}"#
            )
            #expect(response.status == 422)
            #expect(
                try Set(response.problem().pointers) == [
                    "/files/~1a", "/files/..~1b", "/files/c~1..~1..~1d", "/files/", "/files/e", "/files/f~1g",
                ]
            )
        }
    }

    @Test func `an executable input file can be executed immediately`() throws {
        try withServer("--concurrency", "4") { server in
            let program = Data("#!/bin/true\n".utf8).base64EncodedString()
            let body = try ServerProcess.body(["./x"], ["files": ["x": ["base64": program, "executable": true]]])
            let clients = try (0..<8).map { _ in try server.client() }
            for _ in 0..<50 {
                for client in clients {
                    try client.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
                }
                for client in clients { #expect(try client.response().run().end == .exited(0)) }
            }
        }
    }

    // MARK: Blobs

    private func put(_ bytes: [UInt8], to server: ServerProcess, _ headers: [String] = []) throws -> String {
        let name = "sha256:\(SHA256Digest(of: bytes).hexadecimal)"
        let client = try server.client()
        try client.request("PUT", "/blobs/\(name)", headers, body: bytes)
        let response = try client.response()
        try #require(response.status == 201 || response.status == 204, "\(response.text)")
        return name
    }

    @Test func `one blob can be several files and the standard input`() throws {
        try withServer { server in
            let script = try put(Array("#!/bin/sh\necho \"$0\"; wc -c\n".utf8), to: server)
            let large = try put((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }, to: server)
            let run = try server.run(
                ["sh", "-c", "./a; b/c; cmp large copy && wc -c < copy"],
                [
                    "files": [
                        "a": ["blob": script, "executable": true], "b/c": ["blob": script, "executable": true],
                        "large": ["blob": large], "copy": ["blob": large], "text": "beside",
                    ] as [String: Any], "stdin": ["blob": large],
                ]
            )
            #expect(run.stdout.text == "./a\n3000000\nb/c\n0\n3000000\n")
            #expect(run.stderr.text == "")
        }
    }

    @Test func `a run may have more blobs than fit into one message to the launcher`() throws {
        // The server may not have enough descriptors to open all blobs at once.
        let server = try ServerProcess(["--concurrency", "1"], prefix: ["prlimit", "--nofile=192:192"])
        do {
            var files: [String: Any] = [:]
            for number in 0..<180 { files["f\(number)"] = ["blob": try put(Array("\(number)\n".utf8), to: server)] }
            let run = try server.shell("cat f* | sort -n | md5sum; ls | wc -l", ["files": files])
            let expected = try server.shell("seq 0 179 | md5sum; echo 180")
            #expect(run.stdout.text == expected.stdout.text)
        }
        try server.stop()
    }

    @Test func `the standard input may be a blob`() throws {
        try withServer { server in
            let (file, input) = try (put(Array("file ".utf8), to: server), put(Array("input".utf8), to: server))
            let run = try server.run(["cat", "f", "-"], ["files": ["f": ["blob": file]], "stdin": ["blob": input]])
            #expect(run.stdout.text == "file input")
            #expect(try server.run(["cat"], ["stdin": ["blob": input]]).stdout.text == "input")
        }
    }

    @Test func `an unknown blob is refused with its JSON pointer`() throws {
        try withServer { server in
            let unknown = "sha256:" + String(repeating: "0", count: 64)
            let response = try server.post(
                ServerProcess.body(
                    ["true"],
                    ["stdin": ["blob": unknown], "files": ["a/b": ["blob": unknown], "c": ""]]
                )
            )
            #expect(response.status == 422)
            #expect(try Set(response.problem().pointers) == ["/stdin/blob", "/files/a~1b/blob"])
            for name in [
                "", "sha256:", "sha256:\(String(repeating: "A", count: 64))", String(repeating: "0", count: 64),
            ] {
                let response = try server.post(ServerProcess.body(["true"], ["stdin": ["blob": name]]))
                #expect(response.status == 422)
                #expect(try response.problem().pointers == ["/stdin/blob"])
            }
        }
    }

    @Test func `a queued run keeps its blobs over a kill of the server`() throws {
        let directory = try TemporaryDataDirectory()
        let first = try directory.server("--concurrency", "1")
        let blob = try put(Array("of a blob".utf8), to: first)
        _ = try first.submit(["sleep", Marker.nap()])
        let queued = try first.submit(["cat", "x", "-"], ["files": ["x": ["blob": blob]], "stdin": ["blob": blob]])
        try first.kill()
        let second = try directory.server("--concurrency", "1")
        #expect(try second.finished(queued).stdout.text == "of a blobof a blob")
        try second.stop()
    }

    @Test func `a run cannot read another principal's blob`() throws {
        let tokens = try TokenDirectory()
        let (ann, bob) = try (
            ["Authorization: Bearer \(tokens.add("ann"))"], ["Authorization: Bearer \(tokens.add("bob"))"]
        )
        let server = try ServerProcess(["--tokens", tokens.path])
        let blob = try put(Array("secret".utf8), to: server, ann)
        let body = try ServerProcess.body(["cat"], ["stdin": ["blob": blob]])
        try #expect(server.post(body, query: "?wait=30", bob).status == 422)
        #expect(try server.post(body, query: "?wait=30", ann).run().stdout.text == "secret")
        try server.stop()
    }
}
