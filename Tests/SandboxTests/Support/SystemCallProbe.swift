import Reactor
import TestSupport

@testable import Sandbox

/// Makes real system calls from a Perl script, each in its own process because not every call returns.
enum SystemCallProbe {
    /// The result of a call.
    enum Result: Hashable {
        case succeeded
        /// The call failed with this error number.
        case failed(Int32)
        /// A signal ended the process: SIGALRM if the call did not return within one second.
        case signaled(Int32)
    }

    /// The script: it makes the calls of its argument, `number argument …` separated by `;`, and prints the result of
    /// each.
    private static let script = #"""
        use POSIX ();
        $| = 1;
        for my $line (split /;/, $ARGV[0]) {
            my ($number, @arguments) = map { $_ + 0 } split / /, $line;
            pipe my $reader, my $writer or die;
            my $child = fork // die;
            if (!$child) {
                alarm 1;
                $! = 0;
                my $result = syscall $number, @arguments;
                my $error = $result == -1 ? $! + 0 : 0;
                syswrite $writer, "failed $error";
                kill 9, $$;
            }
            close $writer;
            my $result_line = <$reader>;
            waitpid $child, 0;
            print "$number ", $result_line || "signaled " . ($? & 127), "\n";
        }
        """#

    /// Returns the command that makes these calls.
    static func command(_ calls: [(number: Int32, arguments: [UInt64])]) -> [String] {
        let lines = calls.map { call in
            ([UInt64(call.number)] + call.arguments).map(String.init).joined(separator: " ")
        }
        return ["/usr/bin/perl", "-e", script, lines.joined(separator: ";")]
    }

    /// Parses the script's output: one result for each call, in order.
    static func results(in output: String) -> [Result] {
        output.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 3, let number = Int32(words[2]) else { return nil }
            if words[1] == "signaled" { return .signaled(number) }
            return number == 0 ? .succeeded : .failed(number)
        }
    }

    /// Makes the calls in a sandbox and returns their results.
    static func inside(_ calls: [(number: Int32, arguments: [UInt64])]) async throws -> [Result] {
        results(in: try await output(of: command(calls)))
    }

    /// Runs a command in a sandbox and returns its output.
    static func output(
        of command: [String],
        protections: SandboxProtections = [.systemCallFilter, .landlock],
        procIsWritable: Bool = false,
        image: SandboxImage? = nil,
        sharesNetwork: Bool = false
    ) async throws -> String {
        var configuration = SandboxConfiguration()
        configuration.images = image.map { [$0] } ?? []
        configuration.allowsHostNetwork = sharesNetwork
        var policy = SandboxPolicy.host(slots: 1, scratchBytes: 16 << 20, configuration: configuration)
        policy.procIsWritable = procIsWritable
        policy.protections = protections
        policy.requiredProtections = []
        return try await withLauncher(policy: policy) { launcher in
            let pipe = try TestPipe(nonBlocking: .reading)
            let slot = try launcher.makeSlot(
                image: image?.name ?? SandboxImage.hostName,
                sharesNetwork: sharesNetwork
            )
            let log = ReportLog(slot)
            try slot.start(.make(command), into: pipe)
            let output = try await pipe.readToEnd()
            _ = await log.end()
            return String(decoding: output, as: UTF8.self)
        }
    }
}

extension SlotCommand {
    static func make(_ arguments: [String]) -> SlotCommand {
        SlotCommand(
            arguments: arguments,
            environment: ["PATH": "/usr/bin:/bin:/usr/sbin", "HOME": "/box"],
            workingDirectory: "/box",
            openFiles: 256,
            processes: 1024,
            memoryBytes: 512 << 20,
            cpu: .seconds(60),
            diskBytes: 16 << 20
        )
    }
}
