internal import CLinux
internal import Glibc
internal import Reactor
internal import System

/// A test command that tries to get past one protection.
struct HostProbe: Sendable {
    /// The feature that the protection rests on.
    let feature: HostFeature
    /// A script for /bin/sh that uses only built-in commands, so that it runs on every host.
    let script: String
    var memoryBytes = 64 << 20
    var processes = 16
    var cpu = Duration.seconds(5)
    /// The judgement from the final report and the output: whether the protection held; `nil` if they are inconclusive.
    let judge: @Sendable (SlotReport, String) -> Bool?

    /// Creates the probes of all protections that can be tested from inside a sandbox.
    ///
    /// - Parameter ownNamespaces: the namespaces of this process by name, as the links in `/proc/self/ns` give them.
    /// - Returns: one probe for each of these protections.
    static func all(ownNamespaces: [String: String]) -> [HostProbe] {
        [
            HostProbe(
                feature: .mounts,
                script: "echo x > /box/x && echo tried; (echo x > /usr/x) 2>/dev/null && echo written",
                judge: { _, output in output.contains("tried") ? !output.contains("written") : nil }
            ),
            HostProbe(
                feature: .namespaces,
                script: "for name in \(ownNamespaces.keys.sorted().joined(separator: " ")); do "
                    + #"[ -e /proc/self/ns/$name ] && echo "$name $(readlink /proc/self/ns/$name)"; done"#,
                judge: { _, output in areDifferent(output, ownNamespaces) }
            ),
            HostProbe(
                feature: .landlock,
                // The mounts of a probe's sandbox allow this write (SandboxPolicy.hostProbe).
                script: "echo tried; (echo 1000 > /proc/self/oom_score_adj) 2>/dev/null && echo written",
                judge: { _, output in output.contains("tried") ? !output.contains("written") : nil }
            ),
            HostProbe(
                feature: .seccomp,
                script: "while read -r name value; do echo \"$name$value\"; done < /proc/self/status",
                judge: { _, output in
                    output.contains("\nSeccomp:") ? output.contains("\nSeccomp:2\n") : nil
                }
            ),
            HostProbe(
                feature: .memory,
                script: "echo tried; x=xxxxxxxxxxxxxxxx; while [ ${#x} -lt 67108864 ]; do x=$x$x; done; echo written",
                memoryBytes: 16 << 20,
                // The kernel kills the shell, or refuses it memory, and then the shell gives up.
                judge: { _, output in output.contains("tried") ? !output.contains("written") : nil }
            ),
            HostProbe(
                feature: .processes,
                script: "echo tried; for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; echo written",
                processes: 4,
                cpu: .seconds(1),
                judge: { _, output in output.contains("tried") ? !output.contains("written") : nil }
            ),
            HostProbe(
                feature: .cpu,
                script: "(while :; do :; done) & (while :; do :; done) & wait",
                cpu: .milliseconds(100),
                judge: { report, _ in
                    guard case .ended(let record) = report else { return nil }
                    return record.usedUpProcessorTime
                }
            ),
        ]
    }

    /// Returns whether every namespace of a run differs from this process's; `nil` if the output does not list all of
    /// them.
    private static func areDifferent(_ output: String, _ own: [String: String]) -> Bool? {
        let lines = output.split(separator: "\n").map { $0.split(separator: " ") }.filter { $0.count == 2 }
        guard lines.count == own.count else { return nil }
        return lines.allSatisfy { line in own[String(line[0])].map { $0 != line[1] } ?? false }
    }
}

// MARK: Running probes

extension Launcher {
    /// The maximum time of one probe.
    private static let probeTimeout = Duration.seconds(30)

    /// Tests this host: builds a slot, then runs a probe of each protection that seems to be present.
    ///
    /// - Parameter host: the properties that were read about the host.
    /// - Returns: the report of the host.
    package func survey(_ host: HostInfo) async -> HostReport {
        if let failure = await probe() { return HostReport(host, failure: failure, support: support) }
        var results: [HostFeature: Bool] = [:]
        let present = HostReport(host, support).findings.filter { $0.state == .present }.map(\.feature)
        for probe in HostProbe.all(ownNamespaces: Self.ownNamespaces) where present.contains(probe.feature) {
            do throws(SetupFailure) {
                results[probe.feature] = try await protectionHolds(against: probe)
            } catch {
                return HostReport(host, failure: error, support: support)
            }
        }
        return HostReport(host, support, probes: results)
    }

    /// Runs a probe and returns whether the protection held; `nil` if the result is inconclusive, for example without a
    /// shell in the view.
    func protectionHolds(against probe: HostProbe) async throws(SetupFailure) -> Bool? {
        let (report, output) = try await run(probe)
        if case .failed(let failure) = report, failure.step != .exec { throw failure }
        return probe.judge(report, output)
    }

    private static var ownNamespaces: [String: String] {
        let names = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]
        return names.reduce(into: [:]) { all, name in
            if case .symbolicLink(let target) = HostFile.kind(of: "/proc/self/ns/\(name)") { all[name] = target }
        }
    }

    private func run(_ probe: HostProbe) async throws(SetupFailure) -> (SlotReport, String) {
        let memory = sandglass_memfd("output")
        guard memory >= 0 else { throw SetupFailure(step: .standardStreams, number: errno) }
        let output = Descriptor(owning: memory)
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard null >= 0 else { throw SetupFailure(step: .standardStreams, number: errno) }
        let nullDevice = Descriptor(owning: null)
        let slot = try makeSlot()
        let command = SlotCommand(
            arguments: ["/bin/sh", "-c", probe.script],
            environment: ["PATH": "/usr/bin:/bin"],
            workingDirectory: "/box",
            openFiles: 64,
            processes: probe.processes,
            memoryBytes: probe.memoryBytes,
            cpu: probe.cpu,
            diskBytes: 1 << 20
        )
        do {
            try slot.start(command, streams: [nullDevice.raw, output.raw, nullDevice.raw])
        } catch {
            throw SetupFailure(step: .slot, error: error)
        }
        let timer = ReactorActor.schedule(at: .now.advanced(by: Self.probeTimeout)) { slot.kill() }
        let report = await withCheckedContinuation { continuation in
            slot.onReport = { report in
                if case .started = report { return }
                continuation.resume(returning: report)
            }
        }
        timer.cancel()
        return (report, Self.text(in: output.raw))
    }

    private static func text(in file: Int32) -> String {
        let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            count = max(pread(file, buffer.baseAddress, buffer.count, 0), 0)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
