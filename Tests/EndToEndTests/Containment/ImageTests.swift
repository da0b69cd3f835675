import Foundation
import Glibc
import TestSupport
import Testing

/// Root file systems that a run chooses by name: `--image`.
struct ImageTests {
    @Test func `a run sees its image, or the host's programs without one`() throws {
        let image = try ImageDirectory("one")
        try withServer("--image", "one=\(image.path)") { server in
            try #expect(server.run(["cat", "/mark"], ["image": "one"]).stdout.text == "one\n")
            try #expect(server.run(["test", "-e", "/usr/bin/perl"], ["image": "one"]).end == .exited(1))
            for members in [[:], ["image": "host"]] {
                try #expect(server.run(["test", "-e", "/mark"], members).end == .exited(1))
                try #expect(server.run(["test", "-e", "/usr/bin/perl"], members).end == .exited(0))
            }
        }
    }

    @Test func `concurrent runs of two images do not see each other`() throws {
        let (one, other) = (try ImageDirectory("one"), try ImageDirectory("other", directories: ["only-here"]))
        try withServer("--concurrency", "2", environment: ["SANDGLASS_IMAGE": "a=\(one.path),b=\(other.path)"]) {
            server in
            let script = "cat /mark; ls /; test -e /srv && echo srv; while test -e /box/stay; do :; done"
            let runs = try ["a", "b"].map { try server.submit(["sh", "-c", script], ["image": $0]) }
            let texts = try runs.map { try server.finished($0).stdout.text.split(separator: "\n").map(String.init) }
            #expect(texts[0].first == "one")
            #expect(texts[1].first == "other")
            #expect(texts[1].contains("only-here") && !texts[0].contains("only-here"))
            #expect(!texts.joined().contains("srv"))
            // A run without an image has no mount of an image.
            let host = try server.shell("cat /proc/self/mountinfo").stdout.text
            #expect(!host.contains(one.path) && !host.contains(other.path))
            let inside = try server.run(["cat", "/proc/self/mountinfo"], ["image": "a"]).stdout.text
            #expect(!inside.contains(other.path))
        }
    }

    @Test func `runs have their own directories in an image, which stays unchanged`() throws {
        let image = try ImageDirectory("bare")
        let before = image.names
        try withServer("--image", "bare=\(image.path)") { server in
            let script = """
                for d in /box /tmp /dev/shm; do echo $d > $d/x && cat $d/x; done; cat /proc/self/comm; \
                for d in / /bin /dev /proc /sys /lib; do (: > $d/x) 2>/dev/null && echo written; done; id -u
                """
            let run = try server.run(["sh", "-c", script], ["image": "bare"])
            #expect(run.stdout.text == "/box\n/tmp\n/dev/shm\ncat\n1000\n")
        }
        #expect(image.names == before)
    }

    @Test func `an image's own tmp, proc, sys and dev are hidden`() throws {
        let image = try ImageDirectory(
            "full",
            directories: ["tmp/left", "sys/left", "dev/left", "box/left", "proc/left"]
        )
        try withServer("--image", "full=\(image.path)") { server in
            let script = "for d in /tmp /sys /dev /box /proc; do test -e $d/left && echo $d; done; exit 3"
            let run = try server.run(["sh", "-c", script], ["image": "full"])
            #expect(run.end == .exited(3))
            #expect(run.stdout.text == "")
        }
    }

    @Test func `every mount of an image is read-only, nosuid and nodev`() throws {
        let image = try ImageDirectory("one")
        try withServer("--image", "one=\(image.path)") { server in
            let script = "cut -d ' ' -f 5,6 /proc/self/mountinfo | grep -E '^/(bin|lib|lib64|mark)? ' | cut -d ' ' -f 2"
            let flags = try server.run(["sh", "-c", script], ["image": "one"]).stdout.text.split(separator: "\n")
            #expect(flags.count >= 4)
            #expect(flags.allSatisfy { $0.hasPrefix("ro,nosuid,nodev") }, "\(flags)")
        }
    }

    @Test func `the disk limit holds in an image`() throws {
        let image = try ImageDirectory("one")
        try withServer("--image", "one=\(image.path)") { server in
            let run = try server.run(
                ["sh", "-c", "head -c 2097152 /dev/zero > /tmp/x || exit 9"],
                ["image": "one", "limits": ["diskBytes": 1 << 20]]
            )
            #expect(run.end == .exited(9))
            #expect(run.stderr.text.contains("No space left"))
        }
    }

    @Test func `/proc is masked in an image`() throws {
        let image = try ImageDirectory("one")
        try withServer("--image", "one=\(image.path)") { server in
            let run = try server.run(["sh", "-c", "cat /proc/cmdline; ls -A /proc/bus"], ["image": "one"])
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "")
        }
    }

    @Test func `an unknown image is refused with the names of the known ones`() throws {
        let image = try ImageDirectory("one")
        try withServer("--image", "python3.11=\(image.path)") { server in
            for name in ["other", "", "Host", "python3.11 "] as [Any] + [1, NSNull()] {
                let response = try server.post(ServerProcess.body(["true"], ["image": name]))
                let problem = try response.problem()
                #expect(response.status == 422)
                #expect(problem.pointers == ["/image"])
                #expect(problem.errors?.first?.detail.contains(#""host", "python3.11""#) == true)
            }
        }
    }

    @Test func `thirty concurrent runs of three images each see their own`() throws {
        let images = try ["a", "b", "c"].map { (name: $0, directory: try ImageDirectory($0)) }
        let flags = images.flatMap { ["--image", "\($0.name)=\($0.directory.path)"] }
        let server = try ServerProcess(flags)
        let runs = try (0..<30).map { number in
            let name = images[number % 3].name
            return (name, try server.submit(["cat", "/mark"], ["image": name]))
        }
        for (name, run) in runs { try #expect(server.finished(run).stdout.text == name + "\n") }
        try server.stop()
    }

    @Test func `sandglass run supports images`() throws {
        let image = try ImageDirectory("one")
        let command = [Host.program, "run", "--image", "one=\(image.path)", "--", "cat", "/mark"]
        try #expect(ChildProcess(command).finish().text == "one\n")
        let named = [Host.program, "run", "--image", "one", "--", "cat", "/mark"]
        let environment = ["SANDGLASS_IMAGE": "one=\(image.path)"]
        try #expect(ChildProcess(named, environment: environment).finish().text == "one\n")
        try #expect(ChildProcess(named).finish().end == .exited(125))
    }

    @Test func `an ordinary user's server supports images`() throws {
        let image = try ImageDirectory("one")
        let server = try ServerProcess(
            ["--image", "one=\(image.path)"],
            prefix: Host.asOrdinaryUser,
            program: Host.sharedProgram
        )
        try #expect(server.run(["cat", "/mark"], ["image": "one"]).stdout.text == "one\n")
        try server.stop()
    }

    @Test(arguments: [
        "one", "=/usr", "host=/usr", "One=/usr", "a b=/usr", "-a=/usr", "a=", "a=usr", "a=/", "a=/proc", "a=/no/such",
        "a=/etc/passwd", "a=/usr/../usr",
    ])
    func `an invalid image stops the start`(text: String) throws {
        let server = try ChildProcess([Host.program, "serve", "--listen", "127.0.0.1:0", "--image=\(text)"]).finish()
        #expect(server.end == .exited(64))
        #expect(server.diagnostics.contains("--image: "))
    }

    @Test func `two images of one name are refused`() throws {
        let flags = ["--image", "a=/usr", "--image", "a=/etc"]
        let run = try ChildProcess([Host.program, "serve", "--listen", "127.0.0.1:0"] + flags).finish()
        #expect(run.diagnostics.contains("another image of that name"))
    }
}

/// Host directories that commands can read: `--expose`.
struct ExposeTests {
    @Test func `an exposed directory is visible without its neighbours`() throws {
        let host = try ToolDirectory()
        try withServer("--expose", host.tools) { server in
            let run = try server.shell("cat \(host.tools)/below/file; ls -A \(host.path)")
            #expect(run.stdout.text == "of the host\ntools\n")
        }
    }

    @Test func `SANDGLASS_EXPOSE separates directories with colons`() throws {
        let (one, other) = (try ToolDirectory(), try ToolDirectory())
        try withServer(environment: ["SANDGLASS_EXPOSE": "\(one.tools):\(other.tools)"]) { server in
            try #expect(server.run(["ls", one.tools, other.tools]).end == .exited(0))
        }
    }

    @Test func `an exposed directory is read-only, also for its owner`() throws {
        let host = try ToolDirectory()
        chmod(host.tools, 0o777)
        chmod(host.tools + "/below/file", 0o666)
        let outside = try ChildProcess(Host.asOrdinaryUser + ["sh", "-c", ": >> \(host.tools)/below/file"]).finish()
        #expect(outside.end == .exited(0), "the attempt must succeed outside")
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

    @Test(.enabled(if: Host.isRoot)) func `the set-uid bit has no effect in an exposed directory`() throws {
        let host = try ToolDirectory()
        let program = host.tools + "/id"
        try FileManager.default.copyItem(atPath: "/usr/bin/id", toPath: program)
        chmod(program, 0o6755)
        let outside = try ChildProcess(Host.asOrdinaryUser + [program, "-u"]).finish()
        #expect(outside.text == "0\n", "the attempt must succeed outside")
        try withServer("--expose", host.tools) { server in
            try #expect(server.run([program, "-u"]).stdout.text == "1000\n")
            let mount = try server.shell("grep ' \(host.tools) ' /proc/self/mountinfo | cut -d ' ' -f 6")
            #expect(mount.stdout.text.hasPrefix("ro,nosuid,nodev"))
        }
    }

    @Test func `an exposed symbolic link keeps its path`() throws {
        let host = try ToolDirectory()
        try FileManager.default.createSymbolicLink(atPath: host.path + "/link", withDestinationPath: "tools")
        try withServer("--expose", host.path + "/link") { server in
            try #expect(server.run(["cat", host.path + "/link/below/file"]).stdout.text == "of the host\n")
        }
    }

    @Test func `sandglass run exposes directories`() throws {
        let host = try ToolDirectory()
        let run = try ChildProcess(
            [Host.program, "run", "--expose", host.tools, "--", "cat", host.tools + "/below/file"]
        )
        try #expect(run.finish().text == "of the host\n")
    }

    @Test(arguments: [
        "/", "//", "opt", "", "/proc", "/proc/sys", "/dev", "/box", "/box/x", "/tmp", "/etc", "/usr", "/usr/local",
        "/sys",
        "/var", "/var/tmp", "/run", "/no/such/directory", "/opt/../root", "/root/.", "/bin", "/lib64",
    ])
    func `a directory that would hide one of the sandbox's own is refused`(path: String) throws {
        let server = try ChildProcess([Host.program, "serve", "--listen", "127.0.0.1:0", "--expose", path]).finish()
        #expect(server.end == .exited(64))
        #expect(server.diagnostics.contains("cannot be shown to commands"))
    }

    @Test(arguments: ["/", "/proc", "/proc/self", "/sys", "/dev/shm", "/etc/passwd"])
    func `a link to a directory that cannot be exposed is refused`(target: String) throws {
        let host = try ToolDirectory()
        try FileManager.default.createSymbolicLink(atPath: host.path + "/link", withDestinationPath: target)
        let run = try ChildProcess([Host.program, "run", "--expose", host.path + "/link", "--", "true"]).finish()
        #expect(run.end == .exited(125))
    }

    @Test func `nested directories are refused`() throws {
        let host = try ToolDirectory()
        for pair in [[host.tools, host.tools + "/below"], [host.tools, host.path], [host.tools, host.tools + "/"]] {
            let flags = pair.flatMap { ["--expose", $0] }
            let run = try ChildProcess([Host.program, "run"] + flags + ["--", "true"]).finish()
            #expect(run.end == .exited(125))
            #expect(run.diagnostics.contains("one inside the other"))
        }
    }
}
