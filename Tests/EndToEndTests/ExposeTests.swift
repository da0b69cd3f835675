import Foundation
import Glibc
import Testing

/// Folders of the host that whoever starts the server shows to commands.
struct ExposeTests {
    @Test func `an exposed folder is there, with all below it, and its neighbours are not`() throws {
        let host = try ToolFolder()
        try withServer("--expose", host.tools) { server in
            let run = try server.shell("cat \(host.tools)/below/file; ls -A \(host.path)")
            #expect(run.stdout.text == "of the host\ntools\n")
        }
    }

    @Test func `folders between colons are exposed too`() throws {
        let (one, other) = (try ToolFolder(), try ToolFolder())
        try withServer(environment: ["SANDGLASS_EXPOSE": "\(one.tools):\(other.tools)"]) { server in
            try #expect(server.run(["ls", one.tools, other.tools]).end == .exited(0))
        }
    }

    @Test func `nothing in an exposed folder can be changed, not even by its owner`() throws {
        let host = try ToolFolder()
        chmod(host.tools, 0o777)
        chmod(host.tools + "/below/file", 0o666)
        let outside = try ChildProcess(Host.asOrdinaryUser + ["sh", "-c", ": >> \(host.tools)/below/file"]).finish()
        #expect(outside.end == .exited(0), "a vacuous probe")
        try withServer("--expose", host.tools) { server in
            let run = try server.shell(
                """
                cd \(host.tools); (: >> below/file) 2>&1 | grep -o 'Read-only.*'; \
                for c in 'touch x' 'rm below/file' 'mv below other' 'chmod 777 below' 'ln below/file x'; do \
                $c 2>/dev/null && echo "$c"; done; exit 0
                """
            )
            #expect(run.stdout.text == "Read-only file system\n")
        }
    }

    @Test(.enabled(if: Host.isRoot)) func `a set-uid program in an exposed folder gives no user`() throws {
        let host = try ToolFolder()
        let program = host.tools + "/id"
        try FileManager.default.copyItem(atPath: "/usr/bin/id", toPath: program)
        chmod(program, 0o6755)
        let outside = try ChildProcess(Host.asOrdinaryUser + [program, "-u"]).finish()
        #expect(outside.text == "0\n", "a vacuous probe")
        try withServer("--expose", host.tools) { server in
            try #expect(server.run([program, "-u"]).stdout.text == "1000\n")
            let mount = try server.shell("grep ' \(host.tools) ' /proc/self/mountinfo | cut -d ' ' -f 6")
            #expect(mount.stdout.text.hasPrefix("ro,nosuid,nodev"))
        }
    }

    @Test func `a folder behind a symbolic link is shown where it was asked for`() throws {
        let host = try ToolFolder()
        try FileManager.default.createSymbolicLink(atPath: host.path + "/link", withDestinationPath: "tools")
        try withServer("--expose", host.path + "/link") { server in
            try #expect(server.run(["cat", host.path + "/link/below/file"]).stdout.text == "of the host\n")
        }
    }

    @Test func `a single command sees an exposed folder too`() throws {
        let host = try ToolFolder()
        let run = try ChildProcess(
            [Host.program, "run", "--expose", host.tools, "--", "cat", host.tools + "/below/file"]
        )
        try #expect(run.finish().text == "of the host\n")
    }

    @Test(arguments: [
        "/", "//", "opt", "", "/proc", "/proc/sys", "/dev", "/box", "/box/x", "/tmp", "/etc", "/usr", "/usr/local",
        "/sys",
        "/var", "/var/tmp", "/run", "/no/such/folder", "/opt/../root", "/root/.", "/bin", "/lib64",
    ])
    func `a folder that would cover what commands have is refused`(path: String) throws {
        let server = try ChildProcess([Host.program, "serve", "--listen", "127.0.0.1:0", "--expose", path]).finish()
        #expect(server.end == .exited(64))
        #expect(server.diagnostics.contains("cannot be shown to commands"))
    }

    @Test(arguments: ["/", "/proc", "/proc/self", "/sys", "/dev/shm", "/etc/passwd"])
    func `a link to what is never shown is refused`(target: String) throws {
        let host = try ToolFolder()
        try FileManager.default.createSymbolicLink(atPath: host.path + "/link", withDestinationPath: target)
        let run = try ChildProcess([Host.program, "run", "--expose", host.path + "/link", "--", "true"]).finish()
        #expect(run.end == .exited(125))
    }

    @Test func `folders inside one another are refused`() throws {
        let host = try ToolFolder()
        for pair in [[host.tools, host.tools + "/below"], [host.tools, host.path], [host.tools, host.tools + "/"]] {
            let flags = pair.flatMap { ["--expose", $0] }
            let run = try ChildProcess([Host.program, "run"] + flags + ["--", "true"]).finish()
            #expect(run.end == .exited(125))
            #expect(run.diagnostics.contains("one inside the other"))
        }
    }
}
