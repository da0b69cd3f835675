import Foundation
import Glibc
import Testing

/// Whole directories as the argument of `sandglass submit --file`.
struct SubmitTreeTests {
    private static let listing = "find . ! -name . | LC_ALL=C sort | while read -r f; do stat -c '%A %N' \"$f\"; done"

    private func submit(
        _ script: String,
        in directory: TemporaryDirectory,
        to url: String,
        _ options: [String]
    ) throws -> ChildProcess.Finished {
        let program = ["env", "-C", directory.path, Host.program, "submit", "--server", url]
        return try ChildProcess(program + options + ["--", "sh", "-c", script]).finish()
    }

    private func makeTree() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        for path in ["empty/deep", "src/obj", ".git"] {
            try FileManager.default.createDirectory(
                atPath: directory.path + "/" + path,
                withIntermediateDirectories: true
            )
        }
        try directory.write("src/run", "#!/bin/sh\necho ran\n", mode: 0o755)
        try directory.write("src/obj/a.o", "object", mode: 0o644)
        try directory.write(".git/config", "config", mode: 0o644)
        for (path, target) in [("src/link", "../src/run"), ("dangling", "missing")] {
            try FileManager.default.createSymbolicLink(
                atPath: directory.path + "/" + path,
                withDestinationPath: target
            )
        }
        return directory
    }

    @Test(arguments: [0, 300])
    func `a directory is sent as it is, one by one or as an archive, and fetched again`(more: Int) throws {
        let directory = try makeTree()
        for number in 0..<more { try directory.write("src/f\(number)", "\(number)", mode: 0o644) }
        let out = try TemporaryDirectory()
        try withServer { server in
            let proxy = try FaultyProxy(to: server.port)
            let options = ["--file", ".", "--artifact", "**", "--output-directory", out.path]
            let finished = try submit("\(Self.listing); src/link", in: directory, to: proxy.url, options)
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            let puts = proxy.requests.count { $0.hasPrefix("PUT ") }
            #expect(puts == (more == 0 ? 3 : 1))
            let here = try ChildProcess(["env", "-C", directory.path, "sh", "-c", Self.listing]).finish()
            #expect(finished.text == here.text + "ran\n")
            let there = try ChildProcess(["env", "-C", out.path, "sh", "-c", Self.listing]).finish()
            #expect(there.text == here.text)
            // An unchanged tree is not uploaded again.
            let again = try submit("true", in: directory, to: proxy.url, ["--file", "."])
            #expect(again.end == .exited(0))
            #expect(proxy.requests.count { $0.hasPrefix("PUT ") } == puts)
        }
    }

    @Test func `a directory may end in a slash, and patterns leave entries out`() throws {
        let directory = try makeTree()
        try withServer { server in
            let options = ["--file", "./src/", "--exclude", "*.o", "--exclude", "/link"]
            let finished = try submit("find . ! -name . | LC_ALL=C sort", in: directory, to: server.url, options)
            #expect(finished.text == "./src\n./src/obj\n./src/run\n", "\(finished.diagnostics)")
            let all = ["--file", "in=.", "--exclude", ".git/", "--exclude", "src", "--exclude", "dangling"]
            let other = try submit("find . ! -name . | LC_ALL=C sort", in: directory, to: server.url, all)
            #expect(other.text == "./in\n./in/empty\n./in/empty/deep\n", "\(other.diagnostics)")
            let invalid = try submit("true", in: directory, to: server.url, ["--exclude", "[a"])
            #expect(invalid.end == .exited(125))
            #expect(invalid.diagnostics.contains("--exclude '[a'"))
        }
    }

    @Test func `a link that leaves the sandbox is refused until it is left out`() throws {
        let directory = try makeTree()
        try FileManager.default.createSymbolicLink(atPath: directory.path + "/l", withDestinationPath: "/etc/hostname")
        try withServer { server in
            let proxy = try FaultyProxy(to: server.port)
            let refused = try submit("true", in: directory, to: proxy.url, ["--file", "."])
            #expect(refused.end == .exited(125))
            #expect(refused.diagnostics.contains("must be relative"), "\(refused.diagnostics)")
            #expect(proxy.requests.isEmpty)
            let options = ["--file", ".", "--exclude", "/l", "--file", "l=\(directory.path)/l"]
            let sent = try submit("test -f l && echo sent", in: directory, to: proxy.url, options)
            #expect(sent.text == "sent\n", "\(sent.diagnostics)")
        }
    }

    @Test func `limits are checked before a byte is sent`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("large", String(repeating: "x", count: 100_000), mode: 0o644)
        try withServer { server in
            let proxy = try FaultyProxy(to: server.port)
            let options = ["--file", ".", "--disk-bytes", "65536"]
            let finished = try submit("true", in: directory, to: proxy.url, options)
            #expect(finished.end == .exited(125))
            #expect(finished.diagnostics.contains("may store only 65536"), "\(finished.diagnostics)")
            #expect(proxy.requests == ["GET /capabilities"])
        }
    }
}
