import Foundation
import Glibc
import Testing

/// Attempts to leave the sandbox of a run with an image.
///
/// It has the same protections as every run.
@Suite(.serialized)
struct ImageContainmentTests {
    private let image: ImageDirectory

    init() throws { image = try ImageDirectory("one", directories: ["etc", "opt/below"]) }

    private func withImage(
        _ flags: String...,
        prefix: [String] = [],
        _ body: (ServerProcess) throws -> Void
    ) throws {
        let server = try ServerProcess(["--image", "one=\(image.path)"] + flags, prefix: prefix)
        try body(server)
        try server.stop()
    }

    @Test(.enabled(if: Host.isRoot), arguments: ContainmentTests.subjects)
    func `no attempt succeeds inside`(subject: String) throws {
        try withImage { server in
            let targets = try ProbeTargets(server)
            let inside = try targets.inside([subject], on: server, image: "one")
            #expect(inside.filter(\.isOpen).isEmpty)
            try #expect(targets.outside([subject]).map(\.name) == inside.map(\.name))
        }
    }

    @Test func `a run with an image reports the same enforcement as a run without one`() throws {
        try withImage { server in
            let inside = try server.run(["true"], ["image": "one"]).enforcement
            try #expect(inside == server.run(["true"]).enforcement)
        }
    }

    @Test func `a run with an image has the same filters, privileges and namespaces as a run without one`() throws {
        try withImage { server in
            // Each slot maps its user to another host user, which is the second column of the map.
            let script = """
                grep -E '^(Seccomp|NoNewPrivs|Cap|Uid|Gid|Groups|NSpid)' /proc/self/status; \
                readlink /proc/self/ns/* | cut -d [ -f 1; cat /proc/self/uid_map /proc/self/setgroups | cut -c 1-10,22-
                """
            let inside = try server.shell(script, ["image": "one"])
            #expect(inside.stdout.text.contains("Seccomp:\t2\n"))
            try #expect(inside.stdout.text == server.shell(script).stdout.text)
        }
    }

    // MARK: Writing

    @Test func `an image is read-only although its files are world-writable`() throws {
        for name in ["/opt", "/opt/below", "/bin", "/lib"] { chmod(image.path + name, 0o777) }
        for name in ["/mark", "/bin/cat"] { chmod(image.path + name, 0o777) }
        let outside = try ChildProcess(Host.asOrdinaryUser + ["sh", "-c", ": >> \(image.path)/mark"]).finish()
        #expect(outside.end == .exited(0), "the attempt must succeed outside")
        let before = try image.listing()
        try withImage { server in
            let run = try server.shell(
                """
                (: >> /mark) 2>&1 | grep -o 'Read-only.*'; cd /opt; \
                for c in 'touch x' 'touch /x' 'rm /mark' 'mv below other' 'chmod 700 /mark' 'ln /mark x' 'rm /bin/cat' \
                'mkdir /bin/x' 'ln -s x /lib/y' 'touch /etc/x' 'mv /opt /box' 'touch /dev/x' 'touch /proc/x'; do \
                $c 2>/dev/null && echo "$c"; done; exit 0
                """,
                ["image": "one"]
            )
            #expect(run.stdout.text == "Read-only file system\n")
        }
        try #expect(image.listing() == before)
    }

    // MARK: Leaving

    @Test func `an image's root has nothing above it`() throws {
        try withImage { server in
            let run = try server.shell(
                """
                for p in / /.. /../../.. /proc/self/root /proc/self/cwd/../..; do echo $(ls -A $p); done; \
                ls /proc/1/root/ /proc/1/cwd/ 2>&1 | grep -v denied; test -e /.host && echo host; exit 0
                """,
                ["image": "one"]
            )
            let lines = run.stdout.text.split(separator: "\n").map(String.init)
            #expect(Set(lines).count == 1)
            #expect(lines.count == 5)
            let own = ["box", "dev", "proc", "sys", "tmp"]
            #expect(lines.first == (image.names + own).sorted().joined(separator: " "))
        }
    }

    /// A line of mountinfo (proc_pid_mountinfo(5)).
    private struct Mount {
        let device: String
        let root: String
        let target: String
    }

    private func mountsInside() throws -> [Mount] {
        var text = ""
        try withImage { server in text = try server.run(["cat", "/proc/self/mountinfo"], ["image": "one"]).stdout.text }
        return text.split(separator: "\n").map { line in
            let columns = line.split(separator: " ").map(String.init)
            return Mount(device: columns[2], root: columns[3], target: columns[4])
        }
    }

    @Test func `the mounts of a run with an image name no other host directory`() throws {
        // KernelViewTests has those of /sys.
        let mounts = try mountsInside().filter { mount in
            !["/proc", "/dev", "/sys"].contains(where: mount.target.hasPrefix)
        }
        let shown = image.names.map { "/" + $0 }
        #expect(Set(mounts.map(\.target)) == Set(shown + ["/", "/box", "/tmp"]))
        // The kernel names the source of a mount: the image's own directory, but nothing around it.
        let mark = try #require(mounts.first { $0.target == "/mark" })
        let source = String(mark.root.dropLast("/mark".count))
        #expect(image.path.hasSuffix(source))
        for mount in mounts where mount.device == mark.device { #expect(mount.root.hasPrefix(source + "/")) }
    }

    @Test func `runs of one image share neither mounts nor files`() throws {
        try withImage("--concurrency", "4") { server in
            let script = """
                echo /box/* /tmp/* /dev/shm/*; for p in / /box /tmp /proc /dev/shm; do grep -c " $p " /proc/self/mountinfo; done; \
                for p in /box /tmp /dev/shm; do : > $p/left; done
                """
            let first = try server.shell(script, ["image": "one"]).stdout.text
            #expect(first.hasPrefix("/box/* /tmp/* /dev/shm/*\n"))
            let runs = try (0..<12).map { _ in try server.submit(["sh", "-c", script], ["image": "one"]) }
            for run in runs { try #expect(server.finished(run).stdout.text == first) }
        }
    }

    @Test func `links in an image stay inside the image`() throws {
        let secret = try TemporaryDirectory()
        try secret.write("secret", "of the host\n", mode: 0o644)
        let files = FileManager.default
        for (link, target) in [
            ("/absolute", "/mark"), ("/root", "/"), ("/opt/up", "../../../../../../../.."), ("/etc/passwd", "/mark"),
            ("/opt/secret", secret.path + "/secret"), ("/gone", secret.path), ("/opt/host", "/proc/1/root"),
        ] {
            try files.createSymbolicLink(atPath: image.path + link, withDestinationPath: target)
        }
        try withImage { server in
            let run = try server.shell(
                """
                cat /absolute /root/mark /opt/up/mark /etc/passwd; \
                cat /opt/secret /gone/secret /opt/up\(secret.path)/secret /opt/host/etc/passwd 2>/dev/null; readlink /gone
                """,
                ["image": "one"]
            )
            #expect(run.stdout.text == "one\none\none\none\n\(secret.path)\n")
        }
    }

    // MARK: Content

    @Test(.enabled(if: Host.isRoot)) func `the set-uid bit has no effect in an image`() throws {
        #expect(chmod(image.path + "/bin/id", 0o6755) == 0)
        let outside = try ChildProcess(Host.asOrdinaryUser + [image.path + "/bin/id", "-u"]).finish()
        #expect(outside.text == "0\n", "the attempt must succeed outside")
        try withImage { server in
            let run = try server.shell("id -u; grep -E '^(NoNewPrivs|CapEff)' /proc/self/status", ["image": "one"])
            #expect(run.stdout.text == "1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n")
        }
    }

    @Test(.enabled(if: Host.isRoot)) func `a device in an image cannot be opened`() throws {
        let device = image.path + "/opt/zero"
        #expect(mknod(device, S_IFCHR | 0o666, 0x105) == 0 && chmod(device, 0o666) == 0)
        let outside = try ChildProcess(Host.asOrdinaryUser + ["head", "-c", "1", device]).finish()
        #expect(outside.end == .exited(0), "the attempt must succeed outside")
        try withImage { server in
            let run = try server.run(["head", "-c", "1", "/opt/zero"], ["image": "one"])
            #expect(run.end == .exited(1))
            #expect(run.stderr.text.contains("Permission denied"))
        }
    }

    @Test(.enabled(if: Host.isRoot)) func `a command cannot read an image's file of mode 600`() throws {
        let secret = image.path + "/etc/shadow"
        try Data("secret\n".utf8).write(to: URL(filePath: secret))
        chmod(secret, 0o600)
        try withImage { server in
            try #expect(server.run(["cat", "/etc/shadow"], ["image": "one"]).end == .exited(1))
        }
    }

    @Test(.enabled(if: Host.isRoot)) func `a mount below an image is read-only without set-uid bits and devices`()
        throws
    {
        // The server gets a mount namespace of its own.
        let script = """
            at=$0/opt/below; mount -t tmpfs none $at && cp "$0/bin/id" $at/id && chmod 6755 $at/id && exec "$@"
            """
        let prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, image.path]
        try withImage(prefix: prefix) { server in
            let run = try server.shell(
                """
                cd /opt/below; ./id -u; grep ' /opt/below ' /proc/self/mountinfo | cut -d ' ' -f 6; \
                (: > x) 2>/dev/null || exit 5
                """,
                ["image": "one"]
            )
            #expect(run.end == .exited(5))
            #expect(run.stdout.text.hasPrefix("1000\nro,nosuid,nodev"))
        }
    }

    @Test func `an image may be a symbolic link`() throws {
        let link = image.path + "-link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: image.path)
        defer { unlink(link) }
        try withServer("--image", "linked=\(link)") { server in
            try #expect(server.run(["cat", "/mark"], ["image": "linked"]).stdout.text == "one\n")
        }
    }

    @Test func `a program that is not in the image is not found`() throws {
        try withImage { server in
            let run = try server.run(["perl"], ["image": "one"])
            #expect(run.outcome == "start_failed")
            #expect(run.error?.errno == "ENOENT")
        }
    }

    // MARK: Limits

    @Test(.enabled(if: Host.hasControlGroups)) func `limits of memory, processes and CPU time hold in an image`() throws
    {
        try withImage { server in
            func outcome(_ script: String, _ limits: [String: Any]) throws -> String? {
                try server.shell(script, ["image": "one", "limits": limits]).outcome
            }
            let big = "x=xxxxxxxxxxxxxxxx; while [ ${#x} -lt 67108864 ]; do x=$x$x; done"
            try #expect(outcome(big, ["memoryBytes": 16 << 20]) == "memory_limit")
            try #expect(outcome("while :; do :; done", ["cpuSeconds": 0.1]) == "cpu_limit")
            let forks = try server.shell(
                "(while :; do :; done) & (while :; do :; done) & exit 0",
                ["image": "one", "limits": ["processes": 2]]
            )
            #expect(forks.stderr.text.contains("fork"))
        }
    }

    // MARK: Afterwards

    /// Returns true if any process on this machine has the image mounted.
    private func isMounted() -> Bool {
        ProcessTable.all().contains { process in
            let text = String(decoding: ProcessTable.contents("/proc/\(process.pid)/mountinfo") ?? [], as: UTF8.self)
            return text.contains((image.path as NSString).lastPathComponent)
        }
    }

    @Test(.enabled(if: Host.isRoot), arguments: [SIGTERM, SIGKILL])
    func `a server that ends during a run of an image leaves no mount and no process`(signal: Int32) throws {
        let server = try ServerProcess(["--image", "one=\(image.path)"])
        let nap = Marker.nap()
        let script = "while test -d /box; do :; done; : \(nap)"
        _ = try server.submit(["sh", "-c", script], ["image": "one", "timeoutSeconds": 300])
        #expect(eventually { isMounted() })
        let below = ProcessTable.descendants(of: server.pid)
        #expect(below.count >= 3)
        server.process.send(signal: signal)
        _ = try server.process.wait()
        #expect(eventually { below.filter(ProcessTable.exists).isEmpty })
        #expect(!isMounted())
    }
}
