internal import CLinux
internal import Glibc
internal import Reactor

extension Launcher {
    /// How long a command may take to try something.
    private static let patience = Duration.seconds(30)

    /// Looks at this host in earnest: builds a slot, and has commands try to get past what it has.
    ///
    /// - Parameter facts: what was read about the host.
    /// - Returns: what came of it.
    public func survey(_ facts: HostFacts) async -> HostReport {
        if let failure = await probeOnce() { return HostReport(facts, failure: failure, support: support) }
        var trials: [HostFeature: Bool] = [:]
        let promised = HostReport(facts, support).findings.filter { $0.state == .present }.map(\.feature)
        for trial in HostTrial.all(ownNamespaces: Self.ownNamespaces) where promised.contains(trial.feature) {
            do throws(SetupFailure) {
                trials[trial.feature] = try await holds(against: trial)
            } catch {
                return HostReport(facts, failure: error, support: support)
            }
        }
        return HostReport(facts, support, trials: trials)
    }

    /// Whether a wall holds; `nil`: nobody can tell, such as without a shell in a run's view.
    func holds(against trial: HostTrial) async throws(SetupFailure) -> Bool? {
        let (report, output) = try await run(trial)
        if case .failed(let failure) = report, failure.step != .exec { throw failure }
        return trial.judge(report, output)
    }

    /// This process's namespaces, as links have it.
    private static var ownNamespaces: [String: String] {
        let names = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]
        return names.reduce(into: [:]) { all, name in
            if case .symbolicLink(let target) = HostFile.kind(of: "/proc/self/ns/\(name)") { all[name] = target }
        }
    }

    private func run(_ trial: HostTrial) async throws(SetupFailure) -> (SlotReport, String) {
        let memory = sandglass_memfd("output")
        guard memory >= 0 else { throw SetupFailure(step: .standardStreams, number: errno) }
        let output = Descriptor(owning: memory)
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard null >= 0 else { throw SetupFailure(step: .standardStreams, number: errno) }
        let nothing = Descriptor(owning: null)
        let slot = try makeSlot()
        let command = SlotCommand(
            arguments: ["/bin/sh", "-c", trial.script],
            environment: ["PATH": "/usr/bin:/bin"],
            workingDirectory: "/box",
            openFiles: 64,
            processes: trial.processes,
            memoryBytes: trial.memoryBytes,
            cpu: trial.cpu,
            diskBytes: 1 << 20
        )
        do {
            try slot.start(command, streams: [nothing.raw, output.raw, nothing.raw])
        } catch {
            throw SetupFailure(step: .slot, error: error)
        }
        let bound = Reactor.schedule(at: .now.advanced(by: Self.patience)) { slot.kill() }
        let report = await withCheckedContinuation { continuation in
            slot.onReport = { report in
                if case .started = report { return }
                continuation.resume(returning: report)
            }
        }
        bound.cancel()
        return (report, Self.text(in: output.raw))
    }

    private static func text(in file: Int32) -> String {
        let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            count = max(pread(file, buffer.baseAddress, buffer.count, 0), 0)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
