import Foundation
import Glibc
import Testing

/// What attempts reach for: made by a test on the host, and gone with it.
final class ProbeTargets {
    /// Where attempts run outside.
    let folder: TemporaryFolder
    /// A number that nothing else on this machine has.
    let mark = String(1_000_000 + Int(getpid()) % 100_000 * 10 + Int.random(in: 0...9))
    private let process: ChildProcess
    private let listener: ChildProcess
    private let port: String
    private let secret: String

    /// Makes them; the server's data directory is to hold a secret.
    init(_ server: ServerProcess) throws {
        folder = try TemporaryFolder()
        process = try ChildProcess(["sleep", "600"])
        let script = """
            $| = 1; my $tcp = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die;
            my $path = IO::Socket::UNIX->new(Listen => 9, Local => "$ARGV[0]/socket") or die;
            my $abstract = IO::Socket::UNIX->new(Listen => 9, Local => "\\0containment-$ARGV[1]") or die;
            print $tcp->sockport, "\\n"; sleep 600
            """
        listener = try ChildProcess(["perl", "-MIO::Socket", "-e", script, folder.path, mark])
        port = try #require(try listener.readOutputLine())
        secret = try Self.secret(of: server)
    }

    /// A file that holds what a run has written.
    private static func secret(of server: ServerProcess) throws -> String {
        _ = try server.run(["head", "-c", "100000", "/dev/zero"])
        let files = FileManager.default.enumerator(atPath: server.folder.path)?.compactMap { $0 as? String } ?? []
        let output = try #require(files.first { $0.contains("/output/") }, "\(files)")
        return server.folder.path + "/" + output
    }

    private func arguments(process: pid_t) -> [String] {
        [
            "process=\(process)", "mark=\(mark)", "abstract=containment-\(mark)", "path=\(folder.path)/socket",
            "secret=\(secret)", "port=\(port)", "held-port=\(20000 + (Int(mark) ?? 0) % 10000)",
        ]
    }

    /// Runs the program outside, as the tests' own user, with a root and a host name that it may do with what it likes.
    func outside(_ words: [String]) throws -> [Probe] {
        // What is open here is what a careless parent leaves open.
        let script = "cd \"$1\" && shift && exec 9</etc/shadow \"$@\""
        let command = [
            "unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", script, "sh", folder.path,
        ]
        let done = try ChildProcess(command + [try ProbeProgram.path.get()] + words + arguments(process: process.pid))
            .finish()
        try #require(done.end == .exited(0), "\(done.diagnostics)")
        return Probe.read(done.text)
    }

    /// A command that runs the program in a sandbox, where the other process is the slot.
    func commandInside(_ words: [String]) -> [String] {
        let script = "cat > program && chmod 700 program && exec ./program \"$@\" < /dev/null"
        return ["/bin/sh", "-c", script, "sh"] + words + arguments(process: 1)
    }

    /// The members of a run of such a command.
    func membersInside() throws -> [String: Any] {
        let program = try Data(contentsOf: URL(filePath: try ProbeProgram.path.get()))
        return ["stdin": ["base64": program.base64EncodedString()], "timeoutSeconds": 60]
    }

    /// Runs the program inside to its end.
    func inside(_ words: [String], on server: ServerProcess, image: String = "host") throws -> [Probe] {
        let members = try membersInside().merging(["image": image]) { own, _ in own }
        let run = try server.run(commandInside(words), members)
        try #require(run.end == .exited(0), "\(run.end) \(run.stderr.text)")
        return Probe.read(run.stdout.text)
    }

    /// Ends the daemon that `leave` has started outside.
    func endDaemon() throws {
        let text = try String(contentsOfFile: folder.path + "/daemon", encoding: .utf8)
        let pid = try #require(pid_t(text.trimmingCharacters(in: .newlines)))
        kill(pid, SIGKILL)
    }
}
