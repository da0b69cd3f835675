import Foundation
import Glibc
import Testing

/// Which network a run sees.
struct NetworkTests {
    /// Exits with 0 if it reaches the server.
    private func connect(to server: ServerProcess, _ members: [String: Any]) throws -> RunReply {
        try server.perl(
            "use Socket; socket my $s, PF_INET, SOCK_STREAM, 0; "
                + "exit(connect($s, sockaddr_in(\(server.port), inet_aton('127.0.0.1'))) ? 0 : 1)",
            members
        )
    }

    @Test func `no network is what a run gets, whether it asks for that or for nothing`() throws {
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
            let answer = try server.post(ServerProcess.body(["true"], ["network": "host"]))
            #expect(answer.status == 422)
            try #expect(answer.problem().pointers == ["/network"])
            try #expect(answer.problem().errors?.first?.detail.contains("--allow-host-network") == true)
            try #expect(server.run(["true"], ["network": "none"]).end == .exited(0))
        }
    }

    @Test func `a run that asks for the host's network has it, and its receipt says that nothing is enforced`() throws {
        try withServer("--allow-host-network") { server in
            let run = try connect(to: server, ["network": "host"])
            #expect(run.end == .exited(0))
            #expect(run.enforcement["network"] == "none")
            #expect(run.enforcement["filesystem"] == "namespace")
        }
    }

    @Test func `a run on the host's network can change nothing of it`() throws {
        try withServer("--allow-host-network") { server in
            let script = """
                (echo 1 > /proc/sys/net/ipv4/ip_forward) 2>/dev/null && echo written; \
                perl -MSocket -e 'socket(my $s, PF_INET, SOCK_RAW, 1) and print "raw"; \
                socket(my $p, 17, SOCK_RAW, 0) and print "packet"; socket(my $n, 16, SOCK_RAW, 0) and print "netlink"'
                """
            try #expect(server.shell(script, ["network": "host"]).stdout.text == "")
        }
    }

    @Test(arguments: ["Host", "", "bridge"]) func `a network that is not known is refused`(name: String) throws {
        try withServer("--allow-host-network") { server in
            let answer = try server.post(ServerProcess.body(["true"], ["network": name]))
            #expect(answer.status == 422)
            try #expect(answer.problem().pointers == ["/network"])
        }
    }
}
