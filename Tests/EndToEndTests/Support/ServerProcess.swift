import Foundation
import Glibc
import Testing

/// A server: the real program, on a free port, with a folder for temporary files of its own.
final class ServerProcess {
    let process: ChildProcess
    let port: UInt16
    /// Its TMPDIR.
    let folder: TemporaryFolder

    var pid: pid_t { process.pid }

    /// Starts it and waits until it accepts.
    ///
    /// The prefix is a program that starts the server in its place, such as taskset(1).
    init(
        _ flags: [String] = [],
        prefix: [String] = [],
        program: String = Host.program,
        scheme: String = "http",
        environment: [String: String] = [:]
    ) throws {
        folder = try TemporaryFolder()
        process = try ChildProcess(
            prefix + [program, "serve", "--listen", "127.0.0.1:0"] + flags,
            environment: environment.merging(["TMPDIR": folder.path]) { own, _ in own }
        )
        let line = try #require(try process.readErrorLine(), "the server ended without a word")
        let start = "listening on \(scheme)://127.0.0.1:"
        try #require(line.hasPrefix(start), "\(line)")
        port = try #require(UInt16(line.dropFirst(start.count)), "\(line)")
    }

    func client() throws -> HTTPClient { try HTTPClient(port: port) }

    func get(_ target: String, _ headers: [String] = []) throws -> HTTPAnswer {
        let client = try client()
        try client.request("GET", target, headers)
        return try client.answer()
    }

    /// Sends a body to `POST /runs`.
    func post(_ body: [UInt8], query: String = "", _ headers: [String] = []) throws -> HTTPAnswer {
        let client = try client()
        try client.request("POST", "/runs" + query, ["Content-Type: application/json"] + headers, body: body)
        return try client.answer()
    }

    func post(_ json: String, query: String = "", _ headers: [String] = []) throws -> HTTPAnswer {
        try post(Array(json.utf8), query: query, headers)
    }

    /// Creates a run and returns without waiting for it.
    func submit(_ command: [String], _ members: [String: Any] = [:]) throws -> RunReply {
        let answer = try post(Self.body(command, members))
        try #require(answer.status == 202, "\(answer.text)")
        return try answer.run()
    }

    /// Runs a command to its end.
    func run(_ command: [String], _ members: [String: Any] = [:]) throws -> RunReply {
        let answer = try post(Self.body(command, members), query: "?wait=60")
        try #require(answer.status == 201, "\(answer.text)")
        return try answer.run()
    }

    /// Runs a shell script to its end.
    func shell(_ script: String, _ members: [String: Any] = [:]) throws -> RunReply {
        try run(["/bin/sh", "-c", script], members)
    }

    /// Runs a Perl script to its end.
    func perl(_ script: String, _ members: [String: Any] = [:]) throws -> RunReply {
        try run(["/usr/bin/perl", "-e", script], members)
    }

    /// Runs a command so many times at once.
    func runTogether(_ count: Int, _ command: [String], _ members: [String: Any] = [:]) throws -> [RunReply] {
        let body = try Self.body(command, members)
        let clients = try (0..<count).map { _ in try client() }
        for client in clients {
            // A server that is short of descriptors takes the last ones once the first ones are done.
            try client.request(
                "POST",
                "/runs?wait=60",
                ["Content-Type: application/json", "Connection: close"],
                body: body
            )
        }
        return try clients.map { client in
            let answer = try client.answer()
            try #require(answer.status == 201, "\(answer.text)")
            return try answer.run()
        }
    }

    /// Waits for a run that was created before.
    func finished(_ run: RunReply) throws -> RunReply { try finished(run.id) }

    /// Waits for a run of that name.
    func finished(_ id: String) throws -> RunReply {
        let run = try get("/runs/\(id)?wait=60").run()
        try #require(run.state == "finished")
        return run
    }

    /// The one process that it starts itself.
    var launcher: ProcessEntry? { ProcessTable.all().first { $0.parent == pid } }

    /// The launcher's zygotes: one for each slot that there is, and for a while for some that were.
    var zygotes: [ProcessEntry] { launcherChildren.filter { $0.name == "sg-zygote" } }

    /// The launcher's slots.
    var slots: [ProcessEntry] { launcherChildren.filter { $0.name != "sg-zygote" } }

    private var launcherChildren: [ProcessEntry] {
        guard let launcher = launcher?.pid else { return [] }
        return ProcessTable.all().filter { $0.parent == launcher }
    }

    /// Whether there are but the server, its launcher, and slots in which nothing has run yet.
    var isIdle: Bool {
        let launcher = launcher?.pid
        return ProcessTable.descendants(of: pid).allSatisfy { entry in
            entry.state != "Z" && (entry.pid == launcher || entry.parent == launcher)
        }
    }

    /// A body of `POST /runs`.
    static func body(_ command: [String], _ members: [String: Any] = [:]) throws -> [UInt8] {
        let object = members.merging(["command": command]) { own, _ in own }
        return Array(try JSONSerialization.data(withJSONObject: object))
    }

    /// A request without a body.
    func send(_ method: String, _ target: String) throws -> HTTPAnswer {
        let client = try client()
        try client.request(method, target)
        return try client.answer()
    }

    /// All runs that it remembers, the newest first, without their output.
    func runs(_ query: String = "") throws -> [PageReply.Run] {
        var runs: [PageReply.Run] = []
        var next: String?
        repeat {
            let page = try get("/runs?limit=100\(query)" + (next.map { "&cursor=\($0)" } ?? "")).page()
            runs += page.runs
            next = page.next
        } while next != nil
        return runs
    }

    /// Kills it without a warning, and waits until all that it had started has ended.
    func kill() throws {
        let below = ProcessTable.descendants(of: pid)
        process.send(signal: SIGKILL)
        try #require(process.wait() == .signaled(SIGKILL))
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
    }

    /// Stops it with SIGTERM and looks at what it leaves: nothing.
    func stop() throws {
        let below = ProcessTable.descendants(of: pid)
        process.send(signal: SIGTERM)
        #expect(try process.wait() == .exited(0))
        #expect(below.filter(ProcessTable.isThere).isEmpty)
        #expect(folder.names.isEmpty)
    }
}

/// Gives a test a server, and stops it when the test is over: cleanly, or there is one failure more.
func withServer(
    _ flags: String...,
    prefix: [String] = [],
    environment: [String: String] = [:],
    _ body: (ServerProcess) throws -> Void
) throws {
    let server = try ServerProcess(flags, prefix: prefix, environment: environment)
    try body(server)
    try server.stop()
}
