import Foundation
import Glibc
import TestSupport
import Testing

/// The real server on a free port, with a TMPDIR of its own.
final class ServerProcess {
    let process: ChildProcess
    let port: UInt16
    /// The server's TMPDIR.
    let directory: TemporaryDirectory

    var pid: pid_t { process.pid }

    var url: String { "http://127.0.0.1:\(port)" }

    /// Starts a server and waits until it accepts connections.
    ///
    /// `prefix` is a program that executes the server in its place, such as taskset(1), with its arguments.
    init(
        _ flags: [String] = [],
        prefix: [String] = [],
        program: String = Host.program,
        scheme: String = "http",
        environment: [String: String] = [:]
    ) throws {
        directory = try TemporaryDirectory()
        process = try ChildProcess(
            prefix + [program, "serve", "--listen", "127.0.0.1:0"] + flags,
            environment: environment.merging(["TMPDIR": directory.path]) { own, _ in own }
        )
        let line = try #require(try process.readErrorLine(), "the server ended without a message")
        let start = "listening on \(scheme)://127.0.0.1:"
        try #require(line.hasPrefix(start), "\(line)")
        port = try #require(UInt16(line.dropFirst(start.count)), "\(line)")
    }

    // MARK: Requests

    /// Opens a connection.
    func client() throws -> HTTPClient { try HTTPClient(port: port) }

    func get(_ target: String, _ headers: [String] = []) throws -> HTTPResponse {
        let client = try client()
        try client.request("GET", target, headers)
        return try client.response()
    }

    /// Sends a request, without a body unless one is given.
    func send(
        _ method: String,
        _ target: String,
        _ headers: [String] = [],
        body: [UInt8]? = nil
    ) throws -> HTTPResponse {
        let client = try client()
        try client.request(method, target, headers, body: body)
        return try client.response()
    }

    /// Sends a body to `POST /runs`.
    func post(_ body: [UInt8], query: String = "", _ headers: [String] = []) throws -> HTTPResponse {
        let client = try client()
        try client.request("POST", "/runs" + query, ["Content-Type: application/json"] + headers, body: body)
        return try client.response()
    }

    func post(_ json: String, query: String = "", _ headers: [String] = []) throws -> HTTPResponse {
        try post(Array(json.utf8), query: query, headers)
    }

    /// Returns a body for `POST /runs`.
    static func body(_ command: [String], _ members: [String: Any] = [:]) throws -> [UInt8] {
        let object = members.merging(["command": command]) { own, _ in own }
        return Array(try JSONSerialization.data(withJSONObject: object))
    }

    // MARK: Runs

    /// Creates a run and returns without waiting for it.
    func submit(_ command: [String], _ members: [String: Any] = [:]) throws -> RunDocument {
        let response = try post(Self.body(command, members))
        try #require(response.status == 202, "\(response.text)")
        return try response.run()
    }

    /// Runs a command and waits for its end.
    func run(_ command: [String], _ members: [String: Any] = [:]) throws -> RunDocument {
        let response = try post(Self.body(command, members), query: "?wait=60")
        try #require(response.status == 201, "\(response.text)")
        return try response.run()
    }

    /// Runs a shell script and waits for its end.
    func shell(_ script: String, _ members: [String: Any] = [:]) throws -> RunDocument {
        try run(["/bin/sh", "-c", script], members)
    }

    /// Runs a Perl script and waits for its end.
    func perl(_ script: String, _ members: [String: Any] = [:]) throws -> RunDocument {
        try run(["/usr/bin/perl", "-e", script], members)
    }

    /// Runs a command `count` times at once and waits for all ends.
    func runTogether(_ count: Int, _ command: [String], _ members: [String: Any] = [:]) throws -> [RunDocument] {
        let body = try Self.body(command, members)
        let clients = try (0..<count).map { _ in try client() }
        for client in clients {
            // A server short of descriptors accepts the last clients only after the first ones have closed.
            try client.request(
                "POST",
                "/runs?wait=60",
                ["Content-Type: application/json", "Connection: close"],
                body: body
            )
        }
        return try clients.map { client in
            let response = try client.response()
            try #require(response.status == 201, "\(response.text)")
            return try response.run()
        }
    }

    /// Waits for the end of a run that was created before.
    func finished(_ run: RunDocument) throws -> RunDocument { try finished(run.id) }

    /// Waits for the end of the run with this id.
    func finished(_ id: String) throws -> RunDocument {
        let run = try get("/runs/\(id)?wait=60").run()
        try #require(run.state == "finished")
        return run
    }

    /// Returns all stored runs without their output, newest first.
    ///
    /// Each filter in `query` begins with `&`.
    func runs(_ query: String = "") throws -> [RunPage.Run] {
        var runs: [RunPage.Run] = []
        var next: String?
        repeat {
            let page = try get("/runs?limit=100\(query)" + (next.map { "&cursor=\($0)" } ?? "")).page()
            runs += page.runs
            next = page.next
        } while next != nil
        return runs
    }

    // MARK: Processes

    /// The launcher, which is the server's only child.
    var launcher: ProcessEntry? { ProcessTable.all().first { $0.parent == pid } }

    /// The launcher's zygotes: one for each slot, and for a short time also those of former slots.
    var zygotes: [ProcessEntry] { launcherChildren.filter { $0.name == "sg-zygote" } }

    /// The launcher's slots.
    var slots: [ProcessEntry] { launcherChildren.filter { $0.name != "sg-zygote" } }

    private var launcherChildren: [ProcessEntry] {
        guard let launcher = launcher?.pid else { return [] }
        return ProcessTable.all().filter { $0.parent == launcher }
    }

    /// True if no command runs: the server, its launcher and unused slots are its only processes.
    var isIdle: Bool {
        let launcher = launcher?.pid
        return ProcessTable.descendants(of: pid).allSatisfy { entry in
            entry.state != "Z" && (entry.pid == launcher || entry.parent == launcher)
        }
    }

    // MARK: The end

    /// Kills the server with SIGKILL and waits until all its descendants have ended.
    func kill() throws {
        let below = ProcessTable.descendants(of: pid)
        process.send(signal: SIGKILL)
        try #require(process.wait() == .signaled(SIGKILL))
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
    }

    /// Stops the server with SIGTERM and expects that it leaves no process and no file.
    func stop() throws {
        let below = ProcessTable.descendants(of: pid)
        process.send(signal: SIGTERM)
        #expect(try process.wait() == .exited(0))
        #expect(below.filter(ProcessTable.exists).isEmpty)
        #expect(directory.names.isEmpty)
    }
}

/// Calls `body` with a server and stops the server afterwards.
///
/// A server that does not stop cleanly fails the test.
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

/// The client commands of the program.
enum ClientProgram {
    /// Starts a command; in `arguments` the words of a run's command follow two dashes.
    static func start(
        _ command: String,
        at url: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        input: ChildProcess.Input = .none
    ) throws -> ChildProcess {
        try ChildProcess([Host.program, command, "--server", url] + arguments, environment: environment, input: input)
    }

    /// Runs a command and waits for its end.
    static func run(
        _ command: String,
        at url: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        input: [UInt8]? = nil
    ) throws -> ChildProcess.Finished {
        let process = try start(
            command,
            at: url,
            arguments,
            environment: environment,
            input: input == nil ? .none : .pipe
        )
        return try process.finish(input: input ?? [])
    }

    /// Submits a shell script and waits for its end.
    static func submit(
        _ script: String,
        to url: String,
        _ options: [String] = [],
        environment: [String: String] = [:],
        input: [UInt8]? = nil
    ) throws -> ChildProcess.Finished {
        try run("submit", at: url, options + ["--", "/bin/sh", "-c", script], environment: environment, input: input)
    }
}
