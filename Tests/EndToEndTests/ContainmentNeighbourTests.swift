import Glibc
import Testing

/// Runs that look for each other: one after the other in a slot of the same number, and side by side.
@Suite(.serialized, .enabled(if: Host.isRoot))
struct ContainmentNeighbourTests {
    /// Files of the host's that both can read, both can lock: nothing but a file system of each run's own would change that.
    private static let sharedWithNeighbours = [
        "find a lock on a file of /usr", "find a record lock on a file of /usr",
    ]

    @Test func `outside everything that is left is found`() throws {
        try withServer { server in
            let targets = try ProbeTargets(server)
            _ = try targets.outside(["leave"])
            let found = try targets.outside(["left"])
            try targets.endDaemon()
            _ = try targets.outside(["tidy"])
            #expect(found.count == 12)
            let unexplained = found.filter { !$0.isOpen }.filter { VacuousProbes.reason($0) == nil }
            #expect(unexplained.isEmpty)
            // The daemon may be there until somebody has reaped it.
            var rest: [Probe] = []
            #expect(
                try eventually {
                    rest = try targets.outside(["left"]).filter(\.isOpen)
                    return rest.isEmpty
                },
                "\(rest)"
            )
        }
    }

    @Test func `nothing that one run leaves is there for the next`() throws {
        try withServer("--concurrency", "1") { server in
            let targets = try ProbeTargets(server)
            let left = try server.run(targets.commandInside(["leave"]), try targets.membersInside())
            #expect(left.stdout.text == "left\n")
            #expect(left.end == .exited(0))
            let found = try targets.inside(["left"], on: server)
            #expect(found.count == 12)
            #expect(found.filter(\.isOpen).isEmpty)
        }
    }

    @Test func `a run finds nothing of one beside it but locks on files of the host's`() throws {
        try withServer("--concurrency", "2") { server in
            let targets = try ProbeTargets(server)
            let members = try targets.membersInside()
            let holder = try server.submit(targets.commandInside(["leave", "stay"]), members)
            #expect(eventually { (try? server.get("/runs/\(holder.id)/stdout").text) == "left\n" })
            let found = try targets.inside(["left"], on: server)
            #expect(found.filter(\.isOpen).map(\.name) == Self.sharedWithNeighbours)
        }
    }

    @Test func `a signal to everybody reaches nobody else`() throws {
        try withServer("--concurrency", "3") { server in
            let neighbour = try server.submit(["sh", "-c", "sleep 1.5; exit 7"])
            // Itself it survives: kill(2) leaves its caller out.
            let run = try server.perl("my $n = kill 9, -1; print \"$n\"; exit 3")
            #expect(run.end == .exited(3) || run.end == .signaled("SIGKILL"))
            try #expect(server.finished(neighbour).end == .exited(7))
            try #expect(server.shell("exit 4").end == .exited(4))
        }
    }

    @Test func `a run sees no file of another through any process`() throws {
        try withServer("--concurrency", "2") { server in
            let word = Marker.word()
            let nap = Marker.nap()
            let keeper = try server.submit(["sh", "-c", "echo \(word) > /box/secret; exec sleep \(nap)"])
            #expect(eventually { !ProcessTable.running(nap).isEmpty })
            let pid = try #require(ProcessTable.running(nap).first)
            // Outside root sees it, and so the place is right. The shell that writes it has the same words in its command line.
            let secret = Array("\(word)\n".utf8)
            #expect(eventually { ProcessTable.contents("/proc/\(pid)/root/box/secret") == secret })
            let script = "cat /proc/*/root/box/secret /proc/*/cwd/secret /proc/*/fd/*/secret /tmp/*/secret 2>/dev/null"
            try #expect(server.run(["timeout", "5", "sh", "-c", script]).stdout.text == "")
            kill(pid, SIGKILL)
            _ = try server.finished(keeper)
        }
    }

    @Test func `the server's environment is nowhere to be read`() throws {
        let word = Marker.word()
        try withServer(environment: ["SECRET": word]) { server in
            let environment = String(
                decoding: ProcessTable.contents("/proc/\(server.pid)/environ") ?? [],
                as: UTF8.self
            )
            #expect(environment.contains(word))
            let script = """
                import os
                seen = b''
                for pid in filter(str.isdigit, os.listdir('/proc')):
                    for name in ('environ', 'cmdline', 'auxv', 'comm', 'maps', 'mem'):
                        try:
                            with open(f'/proc/{pid}/{name}', 'rb') as file: seen += file.read(1 << 20)
                        except OSError: pass
                print(b'SECRET' in seen.replace(b"b'SECRET'", b''))
                """
            let run = try server.run(["python3", "-c", script])
            #expect(run.stdout.text == "False\n")
        }
    }

    @Test func `the program of the service is not to be overwritten`() throws {
        let before = try #require(ProcessTable.contents(Host.program))
        try withServer { server in
            // As a container's first process was once taken over: through the links to what it executes.
            let script = """
                import os
                for pid in ['self', '1', str(os.getppid())]:
                    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_WRONLY | os.O_APPEND):
                        try: os.write(os.open(f'/proc/{pid}/exe', flags), b'#!/bin/sh\\n'); print('open', pid)
                        except OSError: pass
                """
            for _ in 0..<3 { try #expect(server.run(["python3", "-c", script]).stdout.text == "") }
        }
        #expect(ProcessTable.contents(Host.program) == before)
    }
}
