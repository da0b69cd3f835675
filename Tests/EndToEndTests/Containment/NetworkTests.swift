import Foundation
import Glibc
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
                socket(my $p, 17, SOCK_RAW, 0) and print "packet"; socket(my $n, 16, SOCK_RAW, 0) and print "netlink"'
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
