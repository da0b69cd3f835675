import Foundation
import Glibc
import Testing

/// The result of one attempt to leave the sandbox: a line of the probes' output.
struct Probe: Hashable, CustomStringConvertible {
    let subject: String
    let name: String
    /// `open`, or the reason of the failure.
    let result: String

    /// True if the attempt succeeded.
    var isOpen: Bool { result == "open" }

    var description: String { "\(subject): \(name) (\(result))" }

    /// Parses the output of the probes.
    static func read(_ output: String) -> [Probe] {
        output.split(separator: "\n").compactMap { line in
            let columns = line.split(separator: "\t").map(String.init)
            return columns.count == 3 ? Probe(subject: columns[0], name: columns[1], result: columns[2]) : nil
        }
    }
}

/// The program of all attempts to leave the sandbox, in C.
enum ProbeProgram {
    /// The path of the program.
    ///
    /// The first use builds it with the C compiler of the Swift toolchain or of the system.
    ///
    /// The package does not build it, because SwiftPM would link Swift's libraries, which commands do not see.
    static let path = Result {
        let program = "/tmp/sandglass-e2e-probes-\(getpid())"
        let directory = Host.repositoryPath("Harnesses/containment")
        atexit { unlink("/tmp/sandglass-e2e-probes-\(getpid())") }
        let script = "$(command -v cc || command -v clang) -std=gnu17 -O1 -Wall -Wextra -Werror -o \"$1\" \"$2\"/*.c"
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let build = ["sh", "-c", script, "sh", program, directory]
        let built = try ChildProcess(build, environment: ["PATH": path]).finish()
        guard built.end == .exited(0) else { throw BuildFailure(diagnostics: built.diagnostics) }
        return program
    }

    struct BuildFailure: Error {
        let diagnostics: String
    }
}

/// The targets of the attempts: a process, sockets and files on the host.
///
/// Removed when the object is deallocated.
final class ProbeTargets {
    /// The working directory of attempts outside.
    let directory: TemporaryDirectory
    /// A number that nothing else on this machine uses.
    let mark = String(1_000_000 + Int(getpid()) % 100_000 * 10 + Int.random(in: 0...9))
    private let process: ChildProcess
    private let listener: ChildProcess
    private let port: String
    private let secret: String

    /// Creates the targets.
    ///
    /// A file of the server's data directory is one of them.
    init(_ server: ServerProcess) throws {
        directory = try TemporaryDirectory()
        process = try ChildProcess(["sleep", "600"])
        let script = """
            $| = 1; my $tcp = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die;
            my $path = IO::Socket::UNIX->new(Listen => 9, Local => "$ARGV[0]/socket") or die;
            my $abstract = IO::Socket::UNIX->new(Listen => 9, Local => "\\0containment-$ARGV[1]") or die;
            print $tcp->sockport, "\\n"; sleep 600
            """
        listener = try ChildProcess(["perl", "-MIO::Socket", "-e", script, directory.path, mark])
        port = try #require(try listener.readOutputLine())
        secret = try Self.secret(of: server)
    }

    /// Returns a file with the output of a run.
    private static func secret(of server: ServerProcess) throws -> String {
        _ = try server.run(["head", "-c", "100000", "/dev/zero"])
        let files = FileManager.default.enumerator(atPath: server.directory.path)?.compactMap { $0 as? String } ?? []
        let output = try #require(files.first { $0.contains("/output/") }, "\(files)")
        return server.directory.path + "/" + output
    }

    private func arguments(process: pid_t) -> [String] {
        [
            "process=\(process)", "mark=\(mark)", "abstract=containment-\(mark)", "path=\(directory.path)/socket",
            "secret=\(secret)", "port=\(port)", "held-port=\(20000 + (Int(mark) ?? 0) % 10000)",
        ]
    }

    /// Runs attempts outside as the tests' own user, in mount and UTS namespaces of their own.
    func outside(_ words: [String]) throws -> [Probe] {
        // Descriptor 9 stands for one that a careless parent leaves open.
        let script = "cd \"$1\" && shift && exec 9</etc/shadow \"$@\""
        let command = [
            "unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", script, "sh", directory.path,
        ]
        let done = try ChildProcess(command + [try ProbeProgram.path.get()] + words + arguments(process: process.pid))
            .finish()
        try #require(done.end == .exited(0), "\(done.diagnostics)")
        return Probe.read(done.text)
    }

    /// Returns a command that runs attempts in a sandbox.
    ///
    /// Their target process is the slot.
    func commandInside(_ words: [String]) -> [String] {
        let script = "cat > program && chmod 700 program && exec ./program \"$@\" < /dev/null"
        return ["/bin/sh", "-c", script, "sh"] + words + arguments(process: 1)
    }

    /// Returns the members of a run of such a command.
    func membersInside() throws -> [String: Any] {
        let program = try Data(contentsOf: URL(filePath: try ProbeProgram.path.get()))
        return ["stdin": ["base64": program.base64EncodedString()], "timeoutSeconds": 60]
    }

    /// Runs attempts in a sandbox.
    func inside(_ words: [String], on server: ServerProcess, image: String = "host") throws -> [Probe] {
        let members = try membersInside().merging(["image": image]) { own, _ in own }
        let run = try server.run(commandInside(words), members)
        try #require(run.end == .exited(0), "\(run.end) \(run.stderr.text)")
        return Probe.read(run.stdout.text)
    }

    /// Kills the daemon that `leave` started outside.
    func endDaemon() throws {
        let text = try String(contentsOfFile: directory.path + "/daemon", encoding: .utf8)
        let pid = try #require(pid_t(text.trimmingCharacters(in: .newlines)))
        kill(pid, SIGKILL)
    }
}

/// Attempts that may fail outside too, where they prove nothing.
///
/// All others must succeed outside.
enum InconclusiveProbes {
    /// Returns the reason why an attempt may fail outside on this host, or `nil` if it must succeed.
    static func reason(_ probe: Probe) -> String? {
        if needsResources.contains(probe.name), !rootMayRaiseLimits {
            return "root of this host lacks CAP_SYS_RESOURCE"
        }
        if maybeMissing.contains(probe.name), missing.contains(probe.result) {
            return "this kernel was built without it"
        }
        return nil
    }

    private static let missing = [
        "No such file or directory", "Function not implemented", "Address family not supported by protocol",
        "Protocol not supported", "Socket type not supported", "Segmentation fault", "No such device",
        "Operation not supported",
    ]

    private static let maybeMissing: Set<String> = [
        "open /home", "open /boot", "open /etc/ssl/private", "open /var/lib/dpkg/status", "open /proc/kcore",
        "open /dev/mem", "open /proc/slabinfo", "open /proc/vmallocinfo", "open /proc/pagetypeinfo",
        "open /proc/timer_list", "open /proc/kpageflags", "see addresses in /proc/kallsyms", "open /sys/kernel/debug",
        "open /sys/kernel/slab", "open /sys/module",
        "open modprobe to write", "open sysrq-trigger to write", "open sysrq to write",
        "open an interrupt's affinity to write", "open a file of /sys to write", "open a release agent to write",
        "open a file of a control group to write", "open a control group's notifications to write",
        "make a control group", "see another control group", "open a block device", "open /dev/fuse",
        "open /dev/net/tun",
        "open /dev/kvm", "open /dev/loop-control", "open /dev/vsock", "open /dev/kmsg", "open /dev/kmsg to write",
        "have su run as root", "unshare a time namespace", "clone3 a time namespace", "join a time namespace",
        "make an io_uring", "make a bpf map", "count perf events", "handle page faults", "add a key",
        "find a keyring", "find a key", "watch everything", "make secret memory", "see the local descriptor table",
        "find a route to another host", "reach ports", "call as an i386 program", "call as an x32 program",
        "compare another with oneself",
        "list another's mapped files", "read another's kernel stack", "move another's memory",
        "make a packet socket", "make a packet socket for datagrams", "make a raw socket of version 6",
        "make a netlink socket for socket diagnostics", "make a netlink socket for security associations",
        "make a netlink socket for auditing", "make a netlink socket for packet filters", "make a vsock socket",
        "make a socket of the kernel's ciphers", "make a socket of the kernel's keys",
        "make a connection multiplexor", "make an RDS socket", "make a TIPC socket", "make an XDP socket",
        "make a bluetooth socket", "make a CAN socket", "make an SCTP socket", "make an MPTCP socket",
    ]

    private static let needsResources: Set<String> = [
        "raise the limit of core files", "raise the limit of processor time", "raise the limit of a file's size",
        "raise the limit of processes", "raise the limit of descriptors", "raise the limit of locked memory",
        "raise the limit of queued signals", "raise the limit of message queues", "raise the limit of niceness",
        "raise the limit of realtime priority", "lower one's oom_score_adj", "open max_user_namespaces to write",
    ]

    private static let rootMayRaiseLimits: Bool = {
        let status = String(decoding: ProcessTable.contents("/proc/self/status") ?? [], as: UTF8.self)
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        return (line?.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } ?? 0) & 1 << 24 != 0
    }()
}
