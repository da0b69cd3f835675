import Glibc
import TestSupport
import Testing

/// Attempts to leave the sandbox.
///
/// Each succeeds for root outside and must fail inside.
@Suite(.serialized, .enabled(if: Host.isRoot))
struct ContainmentTests {
    static let subjects = [
        "files", "devices", "namespaces", "mounts", "identity", "limits", "processes", "kernel", "network",
    ]

    /// Calls `body` with a server that inherited open descriptors.
    private func withTargets(_ body: (ServerProcess, ProbeTargets) throws -> Void) throws {
        let careless = ["sh", "-c", "exec 9</etc/shadow 8</ \"$@\"", "sh"]
        try withServer(prefix: careless) { server in try body(server, try ProbeTargets(server)) }
    }

    @Test(arguments: subjects)
    func `no attempt succeeds inside`(subject: String) throws {
        try withTargets { server, targets in
            let inside = try targets.inside([subject], on: server)
            #expect(!inside.isEmpty)
            #expect(inside.filter(\.isOpen).isEmpty)
            try #expect(targets.outside([subject]).map(\.name) == inside.map(\.name))
        }
    }

    @Test func `every attempt succeeds outside or is known to be inconclusive here`() throws {
        try withTargets { server, targets in
            let closed = try Self.subjects.flatMap { try targets.outside([$0]) }.filter { !$0.isOpen }
            var unexplained: [Probe] = []
            for probe in closed {
                let reason = InconclusiveProbes.reason(probe)
                print("inconclusive: \(probe): \(reason ?? "unexpected")")
                if reason == nil { unexplained.append(probe) }
            }
            #expect(unexplained.isEmpty)
        }
    }
}

/// Runs that look for each other, one after the other in one slot and at the same time.
@Suite(.serialized, .enabled(if: Host.isRoot))
struct NeighbourTests {
    /// Both runs can lock a host file that both can read.
    ///
    /// Only a separate file system for each run would prevent that.
    private static let sharedWithNeighbours = [
        "find a lock on a file of /usr", "find a record lock on a file of /usr",
    ]

    @Test func `every leftover is found outside`() throws {
        try withServer { server in
            let targets = try ProbeTargets(server)
            _ = try targets.outside(["leave"])
            let found = try targets.outside(["leftovers"])
            try targets.endDaemon()
            _ = try targets.outside(["tidy"])
            #expect(found.count == 12)
            let unexplained = found.filter { !$0.isOpen }.filter { InconclusiveProbes.reason($0) == nil }
            #expect(unexplained.isEmpty)
            // The daemon has an entry in the process table until init reaps it.
            var rest: [Probe] = []
            #expect(
                try eventually {
                    rest = try targets.outside(["leftovers"]).filter(\.isOpen)
                    return rest.isEmpty
                },
                "\(rest)"
            )
        }
    }

    @Test func `a run finds no leftover of the run before`() throws {
        try withServer("--concurrency", "1") { server in
            let targets = try ProbeTargets(server)
            let first = try server.run(targets.commandInside(["leave"]), try targets.membersInside())
            #expect(first.stdout.text == "left\n")
            #expect(first.end == .exited(0))
            let found = try targets.inside(["leftovers"], on: server)
            #expect(found.count == 12)
            #expect(found.filter(\.isOpen).isEmpty)
        }
    }

    @Test func `a run finds nothing of a concurrent run except locks on host files`() throws {
        try withServer("--concurrency", "2") { server in
            let targets = try ProbeTargets(server)
            let members = try targets.membersInside()
            let holder = try server.submit(targets.commandInside(["leave", "stay"]), members)
            #expect(eventually { (try? server.get("/runs/\(holder.id)/stdout").text) == "left\n" })
            let found = try targets.inside(["leftovers"], on: server)
            #expect(found.filter(\.isOpen).map(\.name) == Self.sharedWithNeighbours)
        }
    }

    @Test func `a signal to all processes does not reach other runs`() throws {
        try withServer("--concurrency", "3") { server in
            let neighbour = try server.submit(["sh", "-c", "sleep 1.5; exit 7"])
            // The caller survives: kill(2) does not signal it.
            let run = try server.perl("my $n = kill 9, -1; print \"$n\"; exit 3")
            #expect(run.end == .exited(3) || run.end == .signaled("SIGKILL"))
            try #expect(server.finished(neighbour).end == .exited(7))
            try #expect(server.shell("exit 4").end == .exited(4))
        }
    }

    @Test func `a run sees no file of another run through /proc`() throws {
        try withServer("--concurrency", "2") { server in
            let word = Marker.word()
            let nap = Marker.nap()
            let keeper = try server.submit(["sh", "-c", "echo \(word) > /box/secret; exec sleep \(nap)"])
            #expect(eventually { !ProcessTable.running(nap).isEmpty })
            let pid = try #require(ProcessTable.running(nap).first)
            // Root sees the file outside, so the path is right. The shell that writes it has the same words as arguments.
            let secret = Array("\(word)\n".utf8)
            #expect(eventually { ProcessTable.contents("/proc/\(pid)/root/box/secret") == secret })
            let script = "cat /proc/*/root/box/secret /proc/*/cwd/secret /proc/*/fd/*/secret /tmp/*/secret 2>/dev/null"
            try #expect(server.run(["timeout", "5", "sh", "-c", script]).stdout.text == "")
            kill(pid, SIGKILL)
            _ = try server.finished(keeper)
        }
    }

    @Test func `a run cannot read the server's environment`() throws {
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

    @Test func `a run cannot overwrite the service's program`() throws {
        let before = try #require(ProcessTable.contents(Host.program))
        try withServer { server in
            // The way of CVE-2019-5736: through the links in /proc to the executed program.
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

/// Consecutive runs in one slot, which share leased namespaces.
///
/// No run may find anything in them.
@Suite(.serialized)
struct SlotReuseTests {
    /// Commands that each leave one object of one kind.
    private static let leftovers = [
        "perl -e 'defined shmget(77, 4096, 01666) or die'",
        "perl -e 'defined semget(77, 1, 01666) or die'",
        "perl -e 'defined msgget(77, 01666) or die'",
        // Creating the file creates the queue, as mq_open(3) does.
        "touch /dev/mqueue/queue",
    ]

    /// A command that lists all such objects.
    private static let listing =
        "{ tail -qn +2 /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg; ls -A /dev/mqueue; }"

    /// More runs than slots, so that each slot is reused.
    private static let runs = 6

    @Test(arguments: leftovers)
    func `an IPC object is gone after its run`(leftover: String) throws {
        try withServer("--concurrency", "1") { server in
            try #expect(server.shell("\(leftover) && \(Self.listing) | wc -l").stdout.text == "1\n")
            for _ in 0..<Self.runs { try #expect(server.shell(Self.listing).stdout.text == "") }
        }
    }

    @Test(arguments: leftovers)
    func `an IPC object is gone after a run that timed out`(leftover: String) throws {
        try withServer("--concurrency", "1") { server in
            let run = try server.shell("\(leftover) && echo left && exec sleep 100", ["timeoutSeconds": 1])
            #expect(run.end == .timedOut)
            #expect(run.stdout.text == "left\n")
            for _ in 0..<Self.runs { try #expect(server.shell(Self.listing).stdout.text == "") }
        }
    }

    @Test func `no run finds the IPC objects of the runs before`() throws {
        let leaving = Self.leftovers.joined(separator: " && ")
        try withServer("--concurrency", "2") { server in
            for _ in 0..<20 {
                let run = try server.shell("\(Self.listing); \(leaving) && \(Self.listing) | wc -l")
                #expect(run.stdout.text == "4\n")
            }
        }
    }

    /// Python programs that each leave one kind of trace in the network namespace.
    private static let networkTraces = [
        // Connections whose ends are closed in both orders, which TIME_WAIT follows.
        """
        for family, address in (AF_INET, '127.0.0.1'), (AF_INET6, '::1'):
            listener = socket(family); listener.bind((address, 4001)); listener.listen()
            client = create_connection((address, 4001)); server, _ = listener.accept()
            client.send(b'x'); server.recv(1); client.close(); server.close()
        """,
        // Connections and listeners that are open at the end.
        """
        listener = socket(); listener.bind(('127.0.0.1', 4002)); listener.listen()
        for _ in range(9): create_connection(('127.0.0.1', 4002)).send(b'x' * 100000)
        """,
        // A process that outlives the command and keeps data in flight.
        """
        listener = socket(); listener.bind(('127.0.0.1', 4003)); listener.listen()
        client = create_connection(('127.0.0.1', 4003)); client.setblocking(False)
        try:
            while True: client.send(b'x' * 100000)
        except BlockingIOError: pass
        if os.fork() == 0:
            os.setsid()
            for stream in range(3): os.close(stream)
            signal.pause()
        """,
        // Datagrams, members of groups, and a port that nothing listens on.
        """
        first = socket(AF_INET, SOCK_DGRAM); first.bind(('127.0.0.1', 4004))
        first.setsockopt(IPPROTO_IP, IP_ADD_MEMBERSHIP, inet_aton('224.1.2.3') + inet_aton('127.0.0.1'))
        first.sendto(b'x', ('127.0.0.1', 4004)); first.sendto(b'x', ('127.0.0.1', 4005))
        """,
        // A Fast Open attempt, of which the kernel keeps metrics.
        """
        listener = socket(); listener.bind(('127.0.0.1', 4006)); listener.listen()
        try: socket().sendto(b'x', 0x20000000, ('127.0.0.1', 4006))
        except OSError: pass
        """,
    ]
    private static let networkListing = """
        cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 /proc/net/unix /proc/net/igmp | grep -c : | tr '\\n' ' '
        grep -h used /proc/net/sockstat; grep -o 'tw [0-9]*' /proc/net/sockstat; grep lo: /proc/net/dev | tr -s ' '
        cat /proc/net/route /proc/net/ipv6_route /proc/net/arp /proc/net/ip6_flowlabel | md5sum
        """

    @Test(arguments: networkTraces)
    func `no run finds a trace of the network of the run before`(trace: String) throws {
        try withServer("--concurrency", "1") { server in
            let clean = try server.shell(Self.networkListing).stdout.text
            #expect(clean.contains("sockets: used 0\ntw 0\n lo: 0 0 0 "))
            let script = "import os, signal\nfrom socket import *\n" + trace
            for _ in 0..<Self.runs {
                let run = try server.run(["python3", "-c", script])
                #expect(run.end == .exited(0), "\(run.stderr.text)")
                for _ in 0..<2 { try #expect(server.shell(Self.networkListing).stdout.text == clean) }
            }
        }
    }

    @Test func `every run has the same users and cannot map others`() throws {
        let script = """
            cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups /proc/sys/user/max_user_namespaces | tr -s ' '
            echo 5 > /proc/sys/user/max_user_namespaces; echo 0 0 1 > /proc/self/uid_map; unshare -U true; grep CapBnd /proc/self/status
            """
        try withServer("--concurrency", "1") { server in
            for _ in 0..<Self.runs {
                let lines = try server.shell(script).stdout.text.split(separator: "\n")
                #expect(lines.count == 5)
                #expect(lines.prefix(2).allSatisfy { $0.hasPrefix(" 1000 ") && $0.hasSuffix(" 1") })
                #expect(lines.dropFirst(2) == ["deny", "0", "CapBnd:\t0000000000000000"])
            }
        }
    }

    @Test func `new files have the usual permissions`() throws {
        try withServer { server in
            let script = "umask; touch f; mkdir d; stat -c %a f d /box /tmp /dev/shm"
            try #expect(server.shell(script).stdout.text == "0022\n644\n755\n755\n1777\n1777\n")
        }
    }
}
