import Glibc
import TestSupport
import Testing

@testable import Sandbox

/// Tests of the filter in a run, with the real kernel.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct SystemCallProbeTests {
    /// The arguments of calls that the probe must not make like all others; `nil` for calls that it must not make.
    private static let special: [String: [UInt64]?] = [
        // These calls end the process, or return into a frame that does not exist.
        "exit": nil, "exit_group": nil, "rt_sigreturn": nil,
        // Two processes return from these calls, which the probe itself needs.
        "fork": nil, "vfork": nil, "clone": nil,
        // FUTEX_WAKE, because the kernel itself fails an unknown operation with ENOSYS.
        "futex": [.max, 1, 1, 0, 0, 0],
    ]

    #if arch(x86_64)
    /// uretprobe and uprobe, which no filter sees.
    ///
    /// The kernel sends a signal or fails unless its own trampoline makes them (kernel/seccomp.c,
    /// seccomp_uprobe_exception).
    private static let neverFiltered: Set<Int32> = [335, 336]
    #else
    private static let neverFiltered: Set<Int32> = []
    #endif

    @Test func `every number gets its declared action`() async throws {
        let declared = DeclaredActions()
        let special = Dictionary(
            uniqueKeysWithValues: Self.special.compactMap { call, arguments in
                SystemCallFilter.number(of: call).map { ($0, arguments) }
            }
        )
        let calls = (Int32(0)...600).filter {
            !declared.conditional.contains($0) && !Self.neverFiltered.contains($0)
        }.compactMap { number in
            (special[number] ?? [UInt64](repeating: .max, count: 6)).map { (number: number, arguments: $0) }
        }
        let results = try await SystemCallProbe.inside(calls)
        try #require(results.count == calls.count)
        var unknown: [(number: Int32, arguments: [UInt64])] = []
        for (call, result) in zip(calls, results) {
            switch declared[call.number] {
            case .refuse(let number): #expect(result == .failed(number), "\(call.number)")
            case .pretend: #expect(result == .succeeded, "\(call.number)")
            case .allow:
                #expect(result != .signaled(SIGSYS), "\(call.number)")
                if result == .failed(ENOSYS) { unknown.append(call) }
            }
        }
        // A call that is allowed and unknown must be unknown to this kernel outside the sandbox too.
        try #expect(outside(unknown).allSatisfy { $0 == .failed(ENOSYS) }, "\(unknown)")
    }

    @Test func `arguments decide as declared`() async throws {
        // A clone that succeeds would return twice.
        let examples = ArgumentCase.all.filter { $0.call != "clone" || $0.action != .allow }
        let calls = examples.compactMap { example in
            SystemCallFilter.number(of: example.call).map { (number: $0, arguments: example.arguments) }
        }
        try #require(calls.count == examples.count)
        let results = try await SystemCallProbe.inside(calls)
        try #require(results.count == calls.count)
        for (example, result) in zip(examples, results) {
            switch example.action {
            case .refuse(let number): #expect(result == .failed(number), "\(example.testDescription)")
            case .pretend: #expect(result == .succeeded, "\(example.testDescription)")
            case .allow:
                for number in [EPERM, ENOSYS, EAFNOSUPPORT] {
                    #expect(result != .failed(number), "\(example.testDescription)")
                }
            }
        }
    }

    #if arch(x86_64)
    @Test func `a call of the x32 ABI fails like an unknown call`() async throws {
        // getpid
        let results = try await SystemCallProbe.inside([(0x4000_0000 | 39, [])])
        #expect(results == [.failed(ENOSYS)])
    }

    @Test func `a call of the i386 ABI fails like an unknown call`() async throws {
        // Makes the i386 getpid, and exits with the error number as a 64-bit process does.
        let probe = try await SystemCallProbe.output(of: ["/usr/bin/perl", "-e", Self.foreignProgram])
        #expect(probe == "\(ENOSYS << 8)\n")
        let unguarded = try await SystemCallProbe.output(
            of: ["/usr/bin/perl", "-e", Self.foreignProgram],
            protections: []
        )
        // The call returns a process id. A kernel without that ABI ends the process by itself.
        #expect(unguarded != probe)
    }

    /// A script that writes a small ELF file, runs it, and prints its wait status.
    private static let foreignProgram = #"""
        my $code = pack "H*", "b814000000" . "cd80" . "f7d8" . "89c7" . "b8e7000000" . "0f05";
        my $size = 120 + length $code;
        my $start = 0x400000;
        my $program = pack("A4 C5 x7 S2 L Q3 L S6", "\x7fELF", 2, 1, 1, 0, 0, 2, 62, 1, $start + 120, 64, 0, 0,
            64, 56, 1, 0, 0, 0) . pack("L2 Q6", 1, 5, 0, $start, $start, $size, $size, 4096) . $code;
        open my $file, ">", "/box/p" or die;
        print $file $program;
        close $file;
        chmod 0755, "/box/p";
        print system("/box/p"), "\n";
        """#

    @Test func `without the filter the kernel executes a refused call`() async throws {
        // personality(PER_LINUX32), an example of a kernel facility that the filter denies.
        let command = SystemCallProbe.command([(135, [8])])
        let open = SystemCallProbe.results(in: try await SystemCallProbe.output(of: command, protections: .landlock))
        #expect(open == [.succeeded])
        let filtered = SystemCallProbe.results(in: try await SystemCallProbe.output(of: command))
        #expect(filtered == [.failed(ENOSYS)])
    }
    #endif

    @Test func `the slot and its command have the filter`() async throws {
        let script = "grep '^Seccomp:' /proc/self/status; grep '^Seccomp:' /proc/1/status"
        #expect(try await SystemCallProbe.output(of: ["sh", "-c", script]) == "Seccomp:\t2\nSeccomp:\t2\n")
    }

    @Test func `the launcher reports the protections that it built`() async throws {
        let protections = try await withLauncher { launcher in launcher.support.protections }
        #expect(protections.contains(.systemCallFilter))
        var policy = SandboxPolicy.host(slots: 1, scratchBytes: 1 << 20)
        policy.protections = []
        policy.requiredProtections = []
        let none = try await withLauncher(policy: policy) { launcher in launcher.support.protections }
        #expect(none == [])
    }

    @Test func `the failure names a required protection that is not built`() throws {
        var policy = SandboxPolicy.host(slots: 1, scratchBytes: 1 << 20)
        policy.protections = []
        #expect(throws: SetupFailure(step: .systemCallFilter, number: ENOSYS)) { _ = try LauncherProcess(policy) }
        policy.requiredProtections = .landlock
        #expect(throws: SetupFailure(step: .landlock, number: ENOSYS)) { _ = try LauncherProcess(policy) }
    }

    /// Makes the calls outside of a sandbox, as the user of the tests.
    private func outside(_ calls: [(number: Int32, arguments: [UInt64])]) throws -> [SystemCallProbe.Result] {
        if calls.isEmpty { return [] }
        // Single quotes are safe, because the script contains none.
        let command = SystemCallProbe.command(calls).map { "'\($0)'" }.joined(separator: " ")
        let stream = try #require(popen(command, "r"))
        defer { pclose(stream) }
        var output = [UInt8](repeating: 0, count: 65536)
        let count = fread(&output, 1, output.count, stream)
        return SystemCallProbe.results(in: String(decoding: output.prefix(count), as: UTF8.self))
    }
}
