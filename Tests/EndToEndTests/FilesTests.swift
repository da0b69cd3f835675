import Foundation
import Glibc
import Testing

/// Files that a run is given.
struct FilesTests {
    @Test func `files are in the box with what is in them, the run's own`() throws {
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
            let told = [
                "text é", "\(digest)  -", "ran", "0", "dash", "755 1000 1000 directory .",
                "644 1000 1000 regular file a.txt", "755 1000 1000 directory deep", "755 1000 1000 directory deep/er",
                "644 1000 1000 regular file deep/er/b", "755 1000 1000 regular file run me", "-n", "deep", "empty",
                "run me",
            ]
            let lines = run.stdout.text.split(separator: "\n").map(String.init)
            #expect(lines.filter { !$0.hasSuffix("directory .") } == told.filter { !$0.hasSuffix("directory .") })
        }
    }

    @Test func `a thousand files, and one of megabytes`() throws {
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

    @Test func `files that do not fit the run's disk are a run that never started, and it is said which`() throws {
        try withServer { server in
            let files = ["fits": "x", "large": String(repeating: "x", count: 100_000)]
            let run = try server.run(["true"], ["files": files, "limits": ["diskBytes": 65536]])
            #expect(run.end == .startFailed)
            #expect(run.error?.step == "files")
            #expect(run.error?.errno == "ENOSPC")
            #expect(run.error?.detail.contains("large") == true)
        }
    }

    @Test func `files wait with their run for its turn, over a kill of the server`() throws {
        let folder = try DataFolder()
        let first = try folder.server("--concurrency", "1")
        _ = try first.submit(["sleep", Marker.nap()])
        let queued = try first.submit(["sh", "x/script", "a"], ["files": ["x/script": "echo \"$1\" from a file"]])
        try first.kill()
        let second = try folder.server("--concurrency", "1")
        #expect(try second.finished(queued).stdout.text == "a from a file\n")
        try second.stop()
    }

    @Test func `the very same run has the very same files`() throws {
        try withServer { server in
            func run(_ files: [String: Any]) throws -> RunReply {
                try server.run(["sh", "-c", "cat *"], ["files": files, "cache": true])
            }
            let first = try run(["a": "1"])
            #expect(try run(["a": "1"]).id == first.id)
            #expect(try run(["a": "2"]).stdout.text == "2")
            #expect(try run(["b": "1"]).id != first.id)
            let executable = ["a": ["base64": Data("1".utf8).base64EncodedString(), "executable": true]]
            #expect(try run(executable).id != first.id)
        }
    }

    @Test func `a path that leads out is refused, all of them at once`() throws {
        try withServer { server in
            let answer = try server.post(
                #"{"command": ["true"], "files": {"/a": "", "../b": "", "c/../../d": "", "": "", "e": 1, "f": "", "f/g": ""}}"#
            )
            #expect(answer.status == 422)
            #expect(
                try Set(answer.problem().pointers) == [
                    "/files/~1a", "/files/..~1b", "/files/c~1..~1..~1d", "/files/", "/files/e", "/files/f~1g",
                ]
            )
        }
    }

    @Test func `a file that may be executed can be at once`() throws {
        try withServer("--concurrency", "4") { server in
            let program = Data("#!/bin/true\n".utf8).base64EncodedString()
            let body = try ServerProcess.body(["./x"], ["files": ["x": ["base64": program, "executable": true]]])
            let clients = try (0..<8).map { _ in try server.client() }
            for _ in 0..<50 {
                for client in clients {
                    try client.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
                }
                for client in clients { #expect(try client.answer().run().end == .exited(0)) }
            }
        }
    }
}
