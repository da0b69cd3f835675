import Glibc
import Testing

/// Clients that take their time, by the thousand, and beside them one that does not.
@Suite(.serialized)
struct SlowClientTests {
    /// How many send a head, and how many a body.
    private static let senders = 450
    /// How many do not read: the kernel keeps much for each of them.
    private static let readers = 100

    /// What a request beside them may take longer than alone: far less than any of the server's limits on time.
    private static let patience = 5.0

    @Test func `a normal request is answered beside a thousand slow ones`() throws {
        try withServer { server in
            // A run whose output is larger than what the kernel holds for a socket.
            let large = try server.shell("head -c 20000000 /dev/zero", ["limits": ["outputBytes": 20_000_000]])
            let heads = try (0..<Self.senders).map { _ in try server.client() }
            let bodies = try (0..<Self.senders).map { _ in try server.client() }
            let readers = try (0..<Self.readers).map { _ in try server.client() }
            for (index, client) in heads.enumerated() {
                try client.send(String("POST /runs HTTP/1.1\r\nHost: localhost\r\nX-A: b".prefix(index % 45)))
            }
            for client in bodies {
                try client.send("POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{\"comm")
            }
            for client in readers { try client.request("GET", "/runs/\(large.id)/stdout") }
            // All of them have been accepted when one that came later is answered; and so are more, with a run among them.
            for round in 0..<20 {
                for client in heads where round % 5 == 4 { try? client.send("a") }
                let begin = monotonicSeconds()
                #expect(try server.get("/healthz").status == 200)
                #expect(try server.run(["true"]).end == .exited(0))
                #expect(monotonicSeconds() - begin < Self.patience)
            }
            #expect(try ProcessTable.sockets(of: server.pid) > 2 * Self.senders + Self.readers)
            // Heads are told after ten seconds; one that has read that shows that time has passed for all.
            let answer = try heads[0].answer()
            #expect(answer.status == 408)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(try answer.problem().status == 408)
            withExtendedLifetime((heads, bodies, readers)) {}
        }
    }

    @Test func `connections over the limit are told so in a problem, and the server stays in reach of those it has`()
        throws
    {
        // So many descriptors leave it few connections.
        let server = try ServerProcess(["--concurrency", "1"], prefix: ["prlimit", "--nofile=192:192"])
        let kept = try server.client()
        try kept.request("GET", "/healthz")
        #expect(try kept.answer().status == 200)
        var clients: [HTTPClient] = []
        var refused = 0
        for _ in 0..<200 {
            let client = try server.client()
            // Who is let in is not answered before it asks.
            if client.hasAnswer(withinMilliseconds: 1) {
                let answer = try client.answer()
                #expect(answer.status == 503)
                #expect(answer.headers["retry-after"] == "1")
                #expect(answer.headers["content-type"] == "application/problem+json")
                refused += 1
            }
            clients.append(client)
        }
        #expect(refused > 50)
        try kept.request("GET", "/healthz")
        #expect(try kept.answer().status == 200)
        clients = []
        #expect(eventually { (try? server.client().health()) == 200 })
    }
}
