import Foundation
import Glibc
import Testing

/// Package files that change while a server runs.
struct ViewUpdateTests {
    /// A directory that a package of this host could have: its path matches a pattern of well-known paths.
    private final class Package {
        let path: String

        init(_ name: String = "package") throws {
            path = "/etc/java-\(name)-\(getpid())-\(UInt32.random(in: .min ... .max))"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws {
            let file = path + "/" + name
            try FileManager.default.createDirectory(
                atPath: (file as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true
            )
            // As package managers do.
            try text.write(toFile: file + ".new", atomically: false, encoding: .utf8)
            try #require(chmod(file + ".new", mode) == 0 && rename(file + ".new", file) == 0)
        }

        func link(_ name: String, to target: String) throws {
            unlink(path + "/" + name)
            try #require(symlink(target, path + "/" + name) == 0)
        }

        func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path + "/" + name) }
    }

    /// Sends SIGHUP and returns the numbers of the update's log line.
    private func update(_ server: ServerProcess) throws -> (changed: Int, removed: Int) {
        server.process.send(signal: SIGHUP)
        while let line = try server.process.readErrorLine() {
            guard line.contains("updated the package files that commands see") else { continue }
            func number(_ name: String) -> Int? {
                line.split(separator: " ").first { $0.hasPrefix(name + "=") }.flatMap {
                    Int($0.dropFirst(name.count + 1))
                }
            }
            return (number("changed") ?? -1, number("removed") ?? -1)
        }
        return (-1, -1)
    }

    private func check(_ server: ServerProcess) throws {
        let (package, later) = (try Package(), try Package("later"))
        try later.remove("")
        try package.write("old", "old")
        try package.write("same", "same")
        try package.write("kind", "a file")
        try package.link("cc", to: "old")
        // The state of the host may have changed since the server started.
        _ = try update(server)
        let show = "cd \(package.path) && for f in $(find . ! -type d | sort); do echo $f $(cat $f 2>&1); done"
        try #expect(server.shell(show).stdout.text == "./cc old\n./kind a file\n./old old\n./same same\n")
        // A run in progress, which sees the changes as it sees those of /usr.
        let open = try server.submit(
            ["sh", "-c", "cd \(package.path); until [ -e new/deep ]; do :; done; cat same program"],
            ["timeoutSeconds": 60]
        )

        try package.write("same", "different")
        try package.write("program", "#!/bin/sh\necho executed", mode: 0o755)
        try package.write("secret", "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n")
        try package.write("private", "not for others", mode: 0o640)
        try package.write("new/deep", "new")
        try package.link("cc", to: "new/deep")
        try package.link("outside", to: "/usr/bin")
        try package.remove("old")
        try package.remove("kind")
        try package.write("kind/now", "a directory")
        try FileManager.default.createDirectory(atPath: later.path, withIntermediateDirectories: false)
        try later.write("installed", "later")
        try #expect(update(server) == (changed: 10, removed: 2))

        #expect(
            try server.shell(show).stdout.text == """
                ./cc new
                ./kind/now a directory
                ./new/deep new
                ./outside cat: ./outside: Is a directory
                ./program #!/bin/sh echo executed
                ./same different

                """
        )
        try #expect(
            server.shell("\(package.path)/program; cat \(later.path)/installed").stdout.text == "executed\nlater"
        )
        try #expect(server.finished(open).stdout.text.hasPrefix("different"))
        let writing = "for f in same new/deep made; do (: >> \(package.path)/$f) 2>/dev/null && echo $f; done; exit 0"
        try #expect(server.shell(writing).stdout.text == "")
        // A repeated update finds nothing to do, and removal is seen as well.
        try #expect(update(server) == (changed: 0, removed: 0))
        try later.remove("")
        try #expect(update(server) == (changed: 0, removed: 2))
        try #expect(server.run(["test", "-e", later.path]).end == .exited(1))
    }

    @Test(.enabled(if: Host.isRoot)) func `SIGHUP shows runs what was installed, changed and removed`() throws {
        try withServer { server in try check(server) }
    }

    @Test(.enabled(if: Host.isRoot)) func `SIGHUP does the same for the server of an ordinary user`() throws {
        let server = try ServerProcess(prefix: Host.asOrdinaryUser, program: Host.sharedProgram)
        try check(server)
        try server.stop()
    }

    @Test(.enabled(if: Host.isRoot)) func `SIGHUP shows what has changed in an exposed directory below /etc`() throws {
        let path = "/etc/exposed-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        try "one".write(toFile: path + "/a", atomically: true, encoding: .utf8)
        try withServer("--expose", path) { server in
            try #expect(server.run(["cat", path + "/a"]).stdout.text == "one")
            try "two".write(toFile: path + "/a", atomically: true, encoding: .utf8)
            chmod(path + "/a", 0o644)
            try #expect(update(server).changed == 1)
            try #expect(server.run(["cat", path + "/a"]).stdout.text == "two")
        }
    }

    @Test(.enabled(if: Host.isRoot))
    func `a directory that is too large to be copied needs a restart, and the log says so`() throws {
        let package = try Package("large")
        try withServer { server in
            for number in 0..<2001 { try Data().write(to: URL(filePath: "\(package.path)/\(number)")) }
            server.process.send(signal: SIGHUP)
            var line: String?
            repeat {
                line = try server.process.readErrorLine()
            } while line?.contains("updated the package files") == false
            #expect(line?.contains("need_restart=\(package.path)") == true, "\(line ?? "")")
            try #expect(server.shell("ls \(package.path) | wc -l").stdout.text == "0\n")
        }
    }
}
