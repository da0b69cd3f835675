import Reactor
import TestSupport
import Testing

@testable import Sandbox

/// Probes of protections that are present, and of some that are not.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct HostProbeTests {
    @Test func `every protection that can be probed holds and is reported as tested`() async throws {
        let report = try await survey([.systemCallFilter, .landlock])
        let tested = report.findings.filter { $0.detail.hasSuffix("; tested") }.map(\.feature)
        let present = report.findings.filter { $0.state == .present }.map(\.feature)
        let probed = HostProbe.all(ownNamespaces: [:]).map(\.feature)
        #expect(Set(tested) == Set(probed).intersection(present))
    }

    @Test func `a probe gets past a protection that is not built`() async throws {
        var policy = SandboxPolicy.hostProbe(scratchBytes: 16 << 20)
        policy.protections = []
        let held = try await withLauncher(policy: policy) { launcher in
            var held: [HostFeature: Bool] = [:]
            for probe in HostProbe.all(ownNamespaces: [:]) where [.landlock, .seccomp].contains(probe.feature) {
                held[probe.feature] = try await launcher.protectionHolds(against: probe)
            }
            return held
        }
        #expect(held == [.landlock: false, .seccomp: false])
    }

    @Test(arguments: [HostFeature.memory, .processes])
    func `a probe gets past a limit that is too high`(feature: HostFeature) async throws {
        var probe = try #require(HostProbe.all(ownNamespaces: [:]).first { $0.feature == feature })
        probe.memoryBytes = 1 << 30
        probe.processes = 64
        let candidate = probe
        let held = try await withLauncher(slots: 1) { launcher in
            try await launcher.protectionHolds(against: candidate)
        }
        #expect(held == false)
    }

    @Test func `a namespace shared with this process counts as no protection`() throws {
        let probe = try #require(HostProbe.all(ownNamespaces: ["pid": "pid:[1]"]).first { $0.feature == .namespaces })
        #expect(probe.judge(.vanished, "pid pid:[1]\n") == false)
        #expect(probe.judge(.vanished, "pid pid:[2]\n") == true)
        #expect(probe.judge(.vanished, "") == nil)
    }

    private func survey(_ protections: SandboxProtections) async throws -> HostReport {
        var policy = SandboxPolicy.hostProbe(scratchBytes: 16 << 20)
        policy.protections = protections
        return try await withLauncher(policy: policy) { launcher in await launcher.survey(.current()) }
    }
}
