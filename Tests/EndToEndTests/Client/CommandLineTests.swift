import Foundation
import Glibc
import TestSupport
import Testing

/// `sandglass run`, and invalid calls of `sandglass serve`.
struct CommandLineTests {
    private func run(
        _ arguments: [String],
        environment: [String: String] = [:],
        input: [UInt8]? = nil
    ) throws -> ChildProcess.Finished {
        let process = try ChildProcess(
            [Host.program, "run"] + arguments,
            environment: environment,
            input: input == nil ? .none : .pipe
        )
        return try process.finish(input: input ?? [])
    }

    // MARK: Exit statuses

    @Test func `the exit status is the command's exit code`() throws {
        for code in [0, 1, 7, 124, 125, 126, 127, 137, 255] {
            try #expect(run(["--", "sh", "-c", "exit \(code)"]).end == .exited(Int32(code)))
        }
    }

    @Test func `a timeout exits with 124`() throws {
        let nap = Marker.nap()
        let finished = try run(["--timeout", "0.2", "--", "sh", "-c", "sleep \(nap) & sleep \(nap)"])
        #expect(finished.end == .exited(124))
        #expect(ProcessTable.running(nap).isEmpty)
    }

    @Test func `a signal exits with 128 plus its number`() throws {
        try #expect(run(["--", "sh", "-c", "kill -9 $$"]).end == .exited(137))
        try #expect(run(["--", "sh", "-c", "kill -SEGV $$"]).end == .exited(139))
    }

    @Test func `a command that cannot start exits with 126 or 127 and a reason`() throws {
        let missing = try run(["--", "/no/such/command"])
        #expect(missing.end == .exited(127))
        #expect(missing.diagnostics.contains("/no/such/command"))
        try #expect(run(["--", "no-such-command"]).end == .exited(127))
        try #expect(run(["--", "/etc/passwd"]).end == .exited(126))
        try #expect(run(["--", "/usr"]).end == .exited(126))
    }

    @Test(arguments: [
        [], ["--"], ["--", ""], ["--timeout", "0", "--", "true"], ["--timeout", "-1", "--", "true"],
        ["--timeout", "x", "--", "true"], ["--timeout", "nan", "--", "true"], ["--timeout", "inf", "--", "true"],
        ["--timeout"],
    ])
    func `an invalid call exits with 125`(arguments: [String]) throws {
        let finished = try run(arguments)
        #expect(finished.end == .exited(125))
        #expect(!finished.error.isEmpty)
        #expect(finished.output.isEmpty)
    }

    @Test func `an unknown flag is not taken for the command`() throws {
        let finished = try run(["--no-such-flag", "--", "true"])
        #expect(finished.end == .exited(125))
    }

    @Test func `help and version exit with 0`() throws {
        try #expect(run(["--help"]).end == .exited(0))
        try #expect(ChildProcess([Host.program, "--version"]).finish().end == .exited(0))
    }

    @Test func `flags after the command belong to the command`() throws {
        try #expect(run(["--", "echo", "--json", "--timeout", "1", "--", "-h"]).text == "--json --timeout 1 -- -h\n")
        try #expect(run(["echo", "--json"]).text == "--json\n")
    }

    // MARK: Streams

    @Test func `fifty megabytes pass through unchanged`() throws {
        var state: UInt64 = 1
        let words = (0..<(50_000_000 / 8)).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
        let bytes = words.withUnsafeBytes { Array($0) }
        let finished = try run(["--timeout", "120", "--", "cat"], input: bytes)
        #expect(finished.end == .exited(0))
        #expect(finished.output == bytes)
    }

    @Test func `both streams pass through separately`() throws {
        let finished = try run(["--", "perl", "-e", "print \"\\0\\xFF\"; print STDERR 'err'; exit 3"])
        #expect(finished.output == [0, 0xFF])
        #expect(finished.diagnostics == "err")
        #expect(finished.end == .exited(3))
    }

    @Test func `output passes through immediately`() throws {
        let process = try ChildProcess(
            [Host.program, "run", "--", "sh", "-c", "echo one; read line; echo $line"],
            input: .pipe
        )
        #expect(try process.readOutputLine() == "one")
        let finished = try process.finish(input: Array("two\n".utf8))
        #expect(finished.text == "two\n")
    }

    @Test func `a reader that closes its end stops the pipeline`() throws {
        let process = try ChildProcess([Host.program, "run", "--timeout", "50", "--", "yes"])
        #expect(try process.readOutputLine() == "y")
        process.closeOutput()
        // The status of SIGPIPE, as without sandglass.
        #expect(try process.wait(atMost: 30) == .exited(128 + SIGPIPE))
    }

    @Test func `output that cannot be written is an error`() throws {
        let command = ["sh", "-c", "exec \"$0\" run -- echo hello > /dev/full", Host.program]
        let finished = try ChildProcess(command).finish()
        #expect(finished.end != .exited(0))
    }

    @Test func `no other file gets the descriptor of a closed standard output`() throws {
        let nap = Marker.nap()
        let script = "exec \"$0\" run -- sh -c 'echo ready >&2; sleep \(nap)' >&-"
        let process = try ChildProcess(["sh", "-c", script, Host.program])
        #expect(try process.readErrorLine() == "ready")
        let target = ProcessTable.target(ofDescriptor: 1, of: process.pid)
        #expect(target == nil || target == "/dev/null")
        process.send(signal: SIGTERM)
        _ = try process.wait()
    }

    @Test func `unread input does not delay the end`() throws {
        let finished = try run(["--", "true"], input: Array(repeating: 0, count: 10 << 20))
        #expect(finished.end == .exited(0))
    }

    @Test func `an open input does not delay the end`() throws {
        let process = try ChildProcess([Host.program, "run", "--", "sh", "-c", "exit 4"], input: .pipe)
        #expect(try process.wait(atMost: 30) == .exited(4))
    }

    // MARK: --json

    @Test func `--json prints the run, whose verdict is unambiguous`() throws {
        let finished = try run(["--json", "--", "sh", "-c", "echo out; echo err >&2; exit 124"])
        #expect(finished.end == .exited(124))
        #expect(finished.diagnostics.isEmpty)
        let reply = try JSONDecoder().decode(RunDocument.self, from: Data(finished.output))
        #expect(reply.end == .exited(124))
        #expect(reply.stdout.text == "out\n")
        #expect(reply.stderr.text == "err\n")
        let late = try run(["--json", "--timeout", "0.1", "--", "sleep", "60"])
        #expect(late.end == .exited(124))
        try #expect(JSONDecoder().decode(RunDocument.self, from: Data(late.output)).end == .timedOut)
        let failed = try run(["--json", "--", "/no/such"])
        #expect(failed.end == .exited(127))
        try #expect(JSONDecoder().decode(RunDocument.self, from: Data(failed.output)).error?.errno == "ENOENT")
    }

    // MARK: Signals

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func `a signal stops the command and then the program`(signal: Int32) throws {
        let nap = Marker.nap()
        let process = try ChildProcess([
            Host.program, "run", "--", "sh", "-c", "echo ready; setsid sleep \(nap) & wait",
        ])
        #expect(try process.readOutputLine() == "ready")
        #expect(eventually { !ProcessTable.running("sleep\0\(nap)").isEmpty })
        process.send(signal: signal)
        #expect(try process.wait(atMost: 30) == .exited(128 + signal))
        #expect(ProcessTable.running(nap).isEmpty)
    }

    @Test func `killing the program kills its command`() throws {
        let nap = Marker.nap()
        let process = try ChildProcess([
            Host.program, "run", "--", "sh", "-c", "echo ready; setsid sleep \(nap) & wait",
        ])
        #expect(try process.readOutputLine() == "ready")
        let below = ProcessTable.descendants(of: process.pid)
        process.send(signal: SIGKILL)
        #expect(try process.wait() == .signaled(SIGKILL))
        #expect(eventually { !below.contains(where: ProcessTable.isAlive) })
        #expect(ProcessTable.running(nap).isEmpty)
    }

    // MARK: Settings

    @Test func `flags override settings from the environment`() throws {
        let command = ["--", "sleep", "60"]
        try #expect(run(command, environment: ["SANDGLASS_TIMEOUT": "0.1"]).end == .exited(124))
        let flag = try run(["--timeout", "20", "--", "sleep", "0.3"], environment: ["SANDGLASS_TIMEOUT": "0.1"])
        #expect(flag.end == .exited(0))
        try #expect(run(["--", "true"], environment: ["SANDGLASS_TIMEOUT": "soon"]).end == .exited(125))
        try #expect(run(["--", "true"], environment: ["SANDGLASS_JSON": "1"]).text.hasPrefix("{"))
        try #expect(run(["--", "true"], environment: ["SANDGLASS_JSON": "0"]).text.isEmpty)
    }

    @Test func `a server reads its settings from the environment`() throws {
        let directory = try TemporaryDirectory()
        let environment = [
            "SANDGLASS_LISTEN": "127.0.0.1:0", "SANDGLASS_DATA_DIRECTORY": directory.path + "/data",
            "SANDGLASS_CONCURRENCY": "1",
        ]
        let process = try ChildProcess([Host.program, "serve"], environment: environment)
        let line = try #require(try process.readErrorLine())
        let port = try #require(UInt16(line.replacing("listening on http://127.0.0.1:", with: "")))
        try #expect(HTTPClient(port: port).health() == 200)
        #expect(directory.names == ["data"])
        process.send(signal: SIGTERM)
        #expect(try process.wait() == .exited(0))
    }

    @Test(arguments: [
        ["--listen", "0.0.0.0:0"], ["--listen", "127.0.0.1"], ["--listen", "127.0.0.1:99999"], ["--listen", "x:y:z"],
        ["--concurrency", "0"], ["--concurrency", "-1"], ["--concurrency", "many"], ["--concurrency", "100000"],
        ["--no-such-flag"], ["extra"],
    ])
    func `an invalid serve call exits with 64 and a reason`(flags: [String]) throws {
        let finished = try ChildProcess([Host.program, "serve"] + flags).finish()
        #expect(finished.end == .exited(64))
        #expect(!finished.error.isEmpty)
        #expect(!finished.diagnostics.contains("listening"))
    }

    @Test func `a data directory that cannot be created is named in the error`() throws {
        let command = [Host.program, "serve", "--listen", "127.0.0.1:0", "--data-directory", "/proc/no/such"]
        let finished = try ChildProcess(command).finish()
        #expect(finished.end == .exited(1))
        #expect(finished.diagnostics.contains("/proc/no/such"))
    }
}
