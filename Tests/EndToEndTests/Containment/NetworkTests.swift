import Foundation
import Glibc
import TestSupport
import Testing

/// The network of a run: `"network"` and `--allow-host-network`.
struct NetworkTests {
    /// Runs a command that exits with 0 if it can connect to the server.
    private func connect(to server: ServerProcess, _ members: [String: Any]) throws -> RunDocument {
        try server.perl(
            "use Socket; socket my $s, PF_INET, SOCK_STREAM, 0; "
                + "exit(connect($s, sockaddr_in(\(server.port), inet_aton('127.0.0.1'))) ? 0 : 1)",
            members
        )
    }

    @Test(arguments: [[], ["--allow-host-network"]], [true, false])
    func `a run has a loopback interface of its own, and no way out`(flags: [String], isOrdinary: Bool) throws {
        let prefix = isOrdinary ? Host.asOrdinaryUser : []
        let server = try ServerProcess(flags, prefix: prefix, program: isOrdinary ? Host.sharedProgram : Host.program)
        let script = """
            import http.server, threading, urllib.request
            from socket import *
            for family, address in (AF_INET, "127.0.0.1"), (AF_INET6, "::1"):
                class Server(http.server.HTTPServer): address_family = family
                class Handler(http.server.BaseHTTPRequestHandler):
                    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(b"hello ")
                    def log_message(self, *words): pass
                server = Server((address, 8000), Handler)
                threading.Thread(target=server.serve_forever, daemon=True).start()
                host = "localhost" if family == AF_INET else "[::1]"
                print(urllib.request.urlopen(f"http://{host}:8000/").read().decode(), end="")
            print(if_nameindex(), gethostbyname("localhost"))
            for address in ("198.51.100.1", "2001:db8::1"):
                try: create_connection((address, 80), 5)
                except OSError as error: print(error.strerror)
            """
        for _ in 0..<2 {
            let run = try server.run(["python3", "-c", script])
            #expect(
                run.stdout.text
                    == "hello hello [(1, 'lo')] 127.0.0.1\nNetwork is unreachable\nNetwork is unreachable\n",
                "\(run.stderr.text)"
            )
        }
        try server.stop()
    }

    @Test func `a run can list its interfaces and change none`() throws {
        try withServer { server in
            let script = """
                import ctypes, struct
                from socket import *
                names = []
                for protocol in range(23):
                    try: socket(AF_NETLINK, SOCK_RAW, protocol); names.append(protocol)
                    except OSError: pass
                print(names)
                route = socket(AF_NETLINK, SOCK_RAW, 0)
                # RTM_NEWLINK of interface 1 with the change "down", RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH
                link = struct.pack("=BxHiII", 0, 0, 1, 0, 1)
                address = struct.pack("=BBBBi", AF_INET, 8, 0, 0, 1) + struct.pack("=HH4s", 8, 2, bytes([10, 0, 0, 1]))
                target = struct.pack("=BBBBBBBBI", AF_INET, 0, 0, 0, 254, 3, 253, 1, 0) + struct.pack("=HHi", 8, 4, 1)
                neighbour = struct.pack("=BxHiHBB", AF_INET, 0, 1, 0x80, 0, 0) + struct.pack("=HH4s", 8, 1, bytes([127, 0, 0, 2]))
                for kind, body in (16, link), (20, address), (24, target), (28, neighbour):
                    route.send(struct.pack("=IHHII", 16 + len(body), kind, 0x605, 1, 0) + body)
                    answer = route.recv(4096)
                    print(struct.unpack_from("=i", answer, 16)[0])
                """
            let run = try server.run(["python3", "-c", script])
            #expect(run.stdout.text == "[0]\n-1\n-1\n-1\n-1\n", "\(run.stderr.text)")
        }
    }

    @Test func `no program can be attached to a socket`() throws {
        try withServer { server in
            let script = """
                from socket import *
                s = socket(AF_INET6)
                for level, option in (1, 26), (1, 44), (1, 50), (1, 51), (1, 52), (41, 32), (1, 2), (6, 1):
                    try: s.setsockopt(level, option, bytes(16) if option > 2 else 1); print("set", end=" ")
                    except OSError as error: print(error.errno, end=" ")
                """
            try #expect(server.run(["python3", "-c", script]).stdout.text == "1 1 1 1 1 1 set set ")
        }
    }

    @Test func `a run has no network by default`() throws {
        try withServer("--allow-host-network") { server in
            for members in [[:], ["network": "none"]] {
                let run = try connect(to: server, members)
                #expect(run.end == .exited(1))
                #expect(run.enforcement["network"] == "namespace")
            }
        }
    }

    @Test func `the host's network is refused unless the server allows it`() throws {
        try withServer { server in
            let response = try server.post(ServerProcess.body(["true"], ["network": "host"]))
            #expect(response.status == 422)
            try #expect(response.problem().pointers == ["/network"])
            try #expect(response.problem().errors?.first?.detail.contains("--allow-host-network") == true)
            try #expect(server.run(["true"], ["network": "none"]).end == .exited(0))
        }
    }

    @Test func `a run on the host's network reports no enforcement of the network`() throws {
        try withServer("--allow-host-network") { server in
            let run = try connect(to: server, ["network": "host"])
            #expect(run.end == .exited(0))
            #expect(run.enforcement["network"] == "none")
            #expect(run.enforcement["filesystem"] == "namespace")
        }
    }

    @Test func `a run on the host's network cannot change it`() throws {
        try withServer("--allow-host-network") { server in
            let script = """
                (echo 1 > /proc/sys/net/ipv4/ip_forward) 2>/dev/null && echo written; \
                perl -MSocket -e 'socket(my $s, PF_INET, SOCK_RAW, 1) and print "raw"; \
                socket(my $p, 17, SOCK_RAW, 0) and print "packet"; socket(my $n, 16, SOCK_RAW, 4) and print "netlink"'
                """
            try #expect(server.shell(script, ["network": "host"]).stdout.text == "")
        }
    }

    @Test(arguments: ["Host", "", "bridge"]) func `an unknown network is refused`(name: String) throws {
        try withServer("--allow-host-network") { server in
            let response = try server.post(ServerProcess.body(["true"], ["network": name]))
            #expect(response.status == 422)
            try #expect(response.problem().pointers == ["/network"])
        }
    }

    /// Returns true if a run is in the network namespace of this process.
    private func sharesNetwork(_ server: ServerProcess, _ members: [String: Any]) throws -> Bool {
        let link = try server.run(["readlink", "/proc/self/ns/net"], members).stdout.text
        #expect(link.hasPrefix("net:["))
        return link == (ProcessTable.link("/proc/self/ns/net") ?? "") + "\n"
    }

    @Test func `consecutive runs with and without the host's network each have theirs`() throws {
        try withServer("--allow-host-network", "--concurrency", "1") { server in
            for _ in 0..<8 {
                try #expect(sharesNetwork(server, ["network": "host"]))
                try #expect(!sharesNetwork(server, [:]))
                try #expect(!sharesNetwork(server, ["limits": ["diskBytes": 1 << 20]]))
            }
        }
    }

    @Test func `concurrent runs with and without the host's network each have theirs`() throws {
        try withServer("--allow-host-network", "--concurrency", "6") { server in
            let names = (0..<24).map { $0 % 2 == 0 ? "host" : "none" }
            let runs = try names.map {
                (name: $0, run: try server.submit(["readlink", "/proc/self/ns/net"], ["network": $0]))
            }
            let own = (ProcessTable.link("/proc/self/ns/net") ?? "") + "\n"
            for (name, run) in runs { try #expect((server.finished(run).stdout.text == own) == (name == "host")) }
        }
    }

    @Test func `a run may combine an image with the host's network`() throws {
        let image = try ImageDirectory("one")
        try withServer("--allow-host-network", "--image", "one=\(image.path)") { server in
            try #expect(sharesNetwork(server, ["image": "one", "network": "host"]))
            try #expect(!sharesNetwork(server, ["image": "one"]))
            let run = try server.run(["cat", "/mark"], ["image": "one", "network": "host"])
            #expect(run.stdout.text == "one\n")
            #expect(run.enforcement["network"] == "none")
        }
    }

    @Test func `an ordinary user's server supports the host's network`() throws {
        let server = try ServerProcess(
            ["--allow-host-network"],
            prefix: Host.asOrdinaryUser,
            program: Host.sharedProgram
        )
        for _ in 0..<3 {
            try #expect(sharesNetwork(server, ["network": "host"]))
            try #expect(!sharesNetwork(server, [:]))
            try #expect(connect(to: server, ["network": "host"]).end == .exited(0))
            try #expect(connect(to: server, [:]).end == .exited(1))
        }
        try server.stop()
    }

    @Test func `a run on the host's network has no capabilities`() throws {
        try withServer("--allow-host-network") { server in
            let script = "grep CapEff /proc/self/status; readlink /proc/self/ns/user"
            let run = try server.shell(script, ["network": "host"])
            #expect(run.stdout.text.hasPrefix("CapEff:\t0000000000000000\nuser:["))
            #expect(!run.stdout.text.contains(ProcessTable.link("/proc/self/ns/user") ?? "user"))
        }
    }

    /// The Landlock version in `GET /capabilities`.
    private struct Capabilities: Decodable {
        struct Walls: Decodable {
            struct Landlock: Decodable { let abi: Int }
            let landlock: Landlock?
        }

        let walls: Walls
    }

    @Test func `Landlock keeps a run on the host's network from abstract sockets`() throws {
        let name = Marker.word()
        let listen = """
            my $s = IO::Socket::UNIX->new(Listen => 9, Local => qq(\\0$ARGV[0])) or die; print qq(up\\n); sleep 99
            """
        let connect = "exit(IO::Socket::UNIX->new(Peer => qq(\\0$ARGV[0])) ? 0 : 1)"
        let listener = try ChildProcess(["perl", "-MIO::Socket", "-e", "$| = 1; \(listen)", name])
        try #require(listener.readOutputLine() == "up")
        try #expect(ChildProcess(["perl", "-MIO::Socket", "-e", connect, name]).finish().end == .exited(0))
        try withServer("--allow-host-network") { server in
            let body = Data(try server.get("/capabilities").body)
            let abi = try JSONDecoder().decode(Capabilities.self, from: body).walls.landlock?.abi ?? 0
            let run = try server.run(["perl", "-MIO::Socket", "-e", connect, name], ["network": "host"])
            #expect(run.end == .exited(abi >= 6 ? 1 : 0))
        }
    }

    @Test func `sandglass run supports networks`() throws {
        let own = (ProcessTable.link("/proc/self/ns/net") ?? "") + "\n"
        func run(_ flags: String...) throws -> ChildProcess.Finished {
            try ChildProcess([Host.program, "run"] + flags + ["--", "readlink", "/proc/self/ns/net"]).finish()
        }
        try #expect(run("--network", "host").text == own)
        try #expect(run("--network", "none").text != own)
        try #expect(run().text != own)
        let unknown = try run("--network", "bridge")
        #expect(unknown.end == .exited(125))
        #expect(unknown.diagnostics.contains("none or host"))
        let json = try run("--json", "--network", "host").text
        #expect(json.contains(#""network":"none""#))
    }
}
