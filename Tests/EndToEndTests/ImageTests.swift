import Foundation
import Glibc
import Testing

/// Root file systems that a run may choose by name.
struct ImageTests {
    @Test func `a run sees the image that it names, and the host's programs unless it names one`() throws {
        let image = try ImageFolder("one")
        try withServer("--image", "one=\(image.path)") { server in
            try #expect(server.run(["cat", "/mark"], ["image": "one"]).stdout.text == "one\n")
            try #expect(server.run(["test", "-e", "/usr/bin/perl"], ["image": "one"]).end == .exited(1))
            for members in [[:], ["image": "host"]] {
                try #expect(server.run(["test", "-e", "/mark"], members).end == .exited(1))
                try #expect(server.run(["test", "-e", "/usr/bin/perl"], members).end == .exited(0))
            }
        }
    }

    @Test func `two images side by side do not see each other, nor where they are kept`() throws {
        let (one, other) = (try ImageFolder("one"), try ImageFolder("other", folders: ["only-here"]))
        try withServer("--concurrency", "2", environment: ["SANDGLASS_IMAGE": "a=\(one.path),b=\(other.path)"]) {
            server in
            let script = "cat /mark; ls /; test -e /srv && echo srv; while test -e /box/stay; do :; done"
            let runs = try ["a", "b"].map { try server.submit(["sh", "-c", script], ["image": $0]) }
            let texts = try runs.map { try server.finished($0).stdout.text.split(separator: "\n").map(String.init) }
            #expect(texts[0].first == "one")
            #expect(texts[1].first == "other")
            #expect(texts[1].contains("only-here") && !texts[0].contains("only-here"))
            #expect(!texts.joined().contains("srv"))
            // The host's view has not one mount more.
            let host = try server.shell("cat /proc/self/mountinfo").stdout.text
            #expect(!host.contains(one.path) && !host.contains(other.path))
            let inside = try server.run(["cat", "/proc/self/mountinfo"], ["image": "a"]).stdout.text
            #expect(!inside.contains(other.path))
        }
    }

    @Test func `an image is as bare as it was, and runs have their own folders in it all the same`() throws {
        let image = try ImageFolder("bare")
        let before = image.names
        try withServer("--image", "bare=\(image.path)") { server in
            let script = """
                for d in /box /tmp /dev/shm; do echo $d > $d/x && cat $d/x; done; cat /proc/self/comm; test -e /sys; echo $?; \
                for d in / /bin /dev /proc /lib; do (: > $d/x) 2>/dev/null && echo written; done; id -u
                """
            let run = try server.run(["sh", "-c", script], ["image": "bare"])
            #expect(run.stdout.text == "/box\n/tmp\n/dev/shm\ncat\n1\n1000\n")
        }
        #expect(image.names == before)
    }

    @Test func `an image's own tmp, proc, sys and dev are not shown`() throws {
        let image = try ImageFolder("full", folders: ["tmp/left", "sys/left", "dev/left", "box/left", "proc/left"])
        try withServer("--image", "full=\(image.path)") { server in
            let script = "for d in /tmp /sys /dev /box /proc; do test -e $d/left && echo $d; done; exit 3"
            let run = try server.run(["sh", "-c", script], ["image": "full"])
            #expect(run.end == .exited(3))
            #expect(run.stdout.text == "")
        }
    }

    @Test func `every mount of an image is read-only and knows neither set-uid bits nor devices`() throws {
        let image = try ImageFolder("one")
        try withServer("--image", "one=\(image.path)") { server in
            let script = "cut -d ' ' -f 5,6 /proc/self/mountinfo | grep -E '^/(bin|lib|lib64|mark)? ' | cut -d ' ' -f 2"
            let flags = try server.run(["sh", "-c", script], ["image": "one"]).stdout.text.split(separator: "\n")
            #expect(flags.count >= 4)
            #expect(flags.allSatisfy { $0.hasPrefix("ro,nosuid,nodev") }, "\(flags)")
        }
    }

    @Test func `a limit on what a run may write holds in an image`() throws {
        let image = try ImageFolder("one")
        try withServer("--image", "one=\(image.path)") { server in
            let run = try server.run(
                ["sh", "-c", "head -c 2097152 /dev/zero > /tmp/x || exit 9"],
                ["image": "one", "limits": ["diskBytes": 1 << 20]]
            )
            #expect(run.end == .exited(9))
            #expect(run.stderr.text.contains("No space left"))
        }
    }

    @Test func `the masks of proc hold in an image`() throws {
        let image = try ImageFolder("one")
        try withServer("--image", "one=\(image.path)") { server in
            let run = try server.run(["sh", "-c", "cat /proc/cmdline; ls -A /proc/bus"], ["image": "one"])
            #expect(run.end == .exited(0))
            #expect(run.stdout.text == "")
        }
    }

    @Test func `an unknown image is refused with the names of those that there are`() throws {
        let image = try ImageFolder("one")
        try withServer("--image", "python3.11=\(image.path)") { server in
            for name in ["other", "", "Host", "python3.11 "] as [Any] + [1, NSNull()] {
                let answer = try server.post(ServerProcess.body(["true"], ["image": name]))
                let problem = try answer.problem()
                #expect(answer.status == 422)
                #expect(problem.pointers == ["/image"])
                #expect(problem.errors?.first?.detail.contains(#""host", "python3.11""#) == true)
            }
        }
    }

    @Test func `many runs of several images at once each see their own`() throws {
        let images = try ["a", "b", "c"].map { (name: $0, folder: try ImageFolder($0)) }
        let flags = images.flatMap { ["--image", "\($0.name)=\($0.folder.path)"] }
        let server = try ServerProcess(flags)
        let runs = try (0..<30).map { number in
            let name = images[number % 3].name
            return (name, try server.submit(["cat", "/mark"], ["image": name]))
        }
        for (name, run) in runs { try #expect(server.finished(run).stdout.text == name + "\n") }
        try server.stop()
    }

    @Test func `a single command sees an image`() throws {
        let image = try ImageFolder("one")
        let command = [Host.program, "run", "--image", "one=\(image.path)", "--", "cat", "/mark"]
        try #expect(ChildProcess(command).finish().text == "one\n")
        let named = [Host.program, "run", "--image", "one", "--", "cat", "/mark"]
        let environment = ["SANDGLASS_IMAGE": "one=\(image.path)"]
        try #expect(ChildProcess(named, environment: environment).finish().text == "one\n")
        try #expect(ChildProcess(named).finish().end == .exited(125))
    }

    @Test func `an ordinary user's server has images too`() throws {
        let image = try ImageFolder("one")
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
    func `an image that cannot be had is refused at start`(text: String) throws {
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
