import Reactor
import TestSupport
import Testing

@testable import Sandbox

/// Commands that try to get past walls which are there, and past some that are not.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct HostTrialTests {
    @Test func `every wall that can be tried holds, and says so`() async throws {
        let report = try await survey([.systemCallFilter, .landlock])
        let tried = report.findings.filter { $0.detail.hasSuffix("; tried") }.map(\.feature)
        let present = report.findings.filter { $0.state == .present }.map(\.feature)
        let trials = HostTrial.all(ownNamespaces: [:]).map(\.feature)
        #expect(Set(tried) == Set(trials).intersection(present))
    }

    @Test func `a trial of a wall that is not there gets past it`() async throws {
        var policy = SandboxPolicy.trial(scratchBytes: 16 << 20)
        policy.walls = []
        let held = try await withLauncher(policy: policy) { launcher in
            var held: [HostFeature: Bool] = [:]
            for trial in HostTrial.all(ownNamespaces: [:]) where [.landlock, .seccomp].contains(trial.feature) {
                held[trial.feature] = try await launcher.holds(against: trial)
            }
            return held
        }
        #expect(held == [.landlock: false, .seccomp: false])
    }

    @Test(arguments: [HostFeature.memory, .processes])
    func `a trial of a limit that is not there gets past it`(feature: HostFeature) async throws {
        var trial = try #require(HostTrial.all(ownNamespaces: [:]).first { $0.feature == feature })
        trial.memoryBytes = 1 << 30
        trial.processes = 64
        let candidate = trial
        let held = try await withLauncher(slots: 1) { launcher in try await launcher.holds(against: candidate) }
        #expect(held == false)
    }

    @Test func `namespaces that are this process's own are no wall`() throws {
        let trial = try #require(HostTrial.all(ownNamespaces: ["pid": "pid:[1]"]).first { $0.feature == .namespaces })
        #expect(trial.judge(.vanished, "pid pid:[1]\n") == false)
        #expect(trial.judge(.vanished, "pid pid:[2]\n") == true)
        #expect(trial.judge(.vanished, "") == nil)
    }

    private func survey(_ walls: SandboxWalls) async throws -> HostReport {
        var policy = SandboxPolicy.trial(scratchBytes: 16 << 20)
        policy.walls = walls
        return try await withLauncher(policy: policy) { launcher in await launcher.survey(.current()) }
    }
}
