import Foundation
import Glibc

/// The environment in which the commands of one document run: an empty directory, one bash, and a server.
final class DocumentSession {
    /// The failure of a command or server of the session, with the reason.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The address that documents show; commands get the server's real one in its place.
    private static let documentedURL = "http://127.0.0.1:8080"
    /// The timeout of a command in milliseconds; no command of the documentation takes this long.
    private static let commandTimeout: Int32 = 60_000

    private let directory: URL
    private let environment: [String: String]
    private var server: Process?
    private var serverLog: Pipe?
    private var url = ""
    private let shell = Process()
    private let shellInput = Pipe()
    private let shellOutput = Pipe()

    init() throws {
        // A write to a shell or server that has ended must fail and not end the tests.
        signal(SIGPIPE, SIG_IGN)
        directory = URL(filePath: "/tmp/sandglass-documentation-\(UUID().uuidString)")
        // The server reads token files after it has dropped root privileges.
        let everybody: [FileAttributeKey: Any] = [.posixPermissions: 0o755]
        for name in ["bin", "work"] {
            try FileManager.default.createDirectory(
                at: directory.appending(path: name),
                withIntermediateDirectories: true,
                attributes: everybody
            )
        }
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "sandglass")
        try FileManager.default.createSymbolicLink(
            at: directory.appending(path: "bin/sandglass"),
            withDestinationURL: program
        )
        environment = [
            "PATH":
                "\(directory.appending(path: "bin").path()):/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": directory.path(), "TMPDIR": directory.path(), "LC_ALL": "C.UTF-8",
        ]
        shell.executableURL = URL(filePath: "/bin/bash")
        shell.arguments = ["--norc", "--noprofile"]
        shell.environment = environment
        shell.currentDirectoryURL = directory.appending(path: "work")
        shell.standardInput = shellInput
        shell.standardOutput = shellOutput
        try shell.run()
    }

    /// Ends the shell and the server, and removes the directory.
    func close() {
        stopServer()
        if shell.isRunning { kill(shell.processIdentifier, SIGKILL) }
        shell.waitUntilExit()
        try? FileManager.default.removeItem(at: directory)
    }

    // MARK: The server

    /// Starts a server in place of the one before.
    ///
    /// - Parameters:
    ///   - flags: the flags, as a shell reads them.
    ///   - kills: whether the server before gets SIGKILL instead of SIGTERM.
    /// - Throws: `Failure` if the server does not listen.
    func startServer(flags: String, kills: Bool = false) throws {
        stopServer(signal: kills ? SIGKILL : SIGTERM)
        let server = Process()
        let log = Pipe()
        server.executableURL = URL(filePath: "/bin/bash")
        server.arguments = ["-c", "exec sandglass serve --listen 127.0.0.1:0 \(flags)"]
        server.environment = environment
        server.currentDirectoryURL = directory.appending(path: "work")
        server.standardError = log
        try server.run()
        self.server = server
        // The pipe stays open. A server drops log lines that nobody reads, and continues.
        serverLog = log
        let line = try Self.readLine(from: log)
        let start = "listening on "
        guard line.hasPrefix(start) else {
            throw Failure(description: "The server with \(flags) did not start: \(line)")
        }
        url = String(line.dropFirst(start.count))
        try send("export SANDGLASS_SERVER='\(url)'")
    }

    private func stopServer(signal: Int32 = SIGTERM) {
        guard let server else { return }
        kill(server.processIdentifier, signal)
        server.waitUntilExit()
        self.server = nil
        serverLog = nil
    }

    // MARK: Commands

    /// Runs a command in the shell and returns the lines that it prints to both of its streams.
    ///
    /// - Throws: `Failure` if the command does not end in time or ends the shell.
    func run(_ command: ConsoleCommand) throws -> [String] {
        if server == nil { try startServer(flags: "") }
        let script = directory.appending(path: "command")
        let output = directory.appending(path: "output")
        let text = command.text.replacing(Self.documentedURL, with: url)
        try Data("\(text)\n".utf8).write(to: script)
        // The status stays for a command that prints it.
        try send(". '\(script.path())' </dev/null >'\(output.path())' 2>&1; status=$?; echo; (exit $status)")
        _ = try Self.readLine(from: shellOutput)
        var lines = String(decoding: try Data(contentsOf: output), as: UTF8.self)
            .replacing(url, with: Self.documentedURL)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    private func send(_ line: String) throws {
        try shellInput.fileHandleForWriting.write(contentsOf: Data("\(line)\n".utf8))
    }

    private static func readLine(from pipe: Pipe) throws -> String {
        let descriptor = pipe.fileHandleForReading.fileDescriptor
        var line: [UInt8] = []
        while true {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, commandTimeout) > 0 else {
                throw Failure(description: "Nothing was printed within \(commandTimeout / 1000) seconds.")
            }
            var byte: UInt8 = 0
            guard read(descriptor, &byte, 1) == 1 else {
                throw Failure(description: "The process has ended: \(String(decoding: line, as: UTF8.self))")
            }
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
    }
}
