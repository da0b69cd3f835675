/// What this host offers, what it does not, and what that costs.
public struct HostReport: Sendable, Hashable {
    /// What was read about it.
    public let facts: HostFacts
    /// What every slot has; `nil` if there is no launcher.
    public let support: SandboxSupport?
    /// One for each feature, in their order.
    public let findings: [HostFinding]
    /// One for each thing that is missing, in the same order; one first for a sandbox that could not be built.
    public let gaps: [Gap]

    /// Of a host on which a launcher is ready.
    ///
    /// - Parameters:
    ///   - facts: what was read about the host.
    ///   - support: what the launcher says.
    ///   - trials: what commands came upon that tried to get past a wall: whether it held.
    public init(_ facts: HostFacts, _ support: SandboxSupport, trials: [HostFeature: Bool] = [:]) {
        self.init(facts, support, failure: nil, trials)
    }

    /// Of a host on which no launcher could be had (no support), or a launcher but no slot.
    public init(_ facts: HostFacts, failure: SetupFailure, support: SandboxSupport? = nil) {
        self.init(facts, support, failure: failure, [:])
    }

    /// What is missing of what is required, in the order of features.
    ///
    /// What could not be tried is missing too.
    public func missing(of required: Set<HostFeature>) -> [HostFeature] {
        findings.filter { $0.state != .present && required.contains($0.feature) }.map(\.feature)
    }

    /// The gaps that some of these features are missing because of.
    public func gaps(of features: [HostFeature]) -> [Gap] {
        gaps.filter { gap in gap.features.isEmpty || gap.features.contains(where: features.contains) }
    }

    private init(
        _ facts: HostFacts,
        _ support: SandboxSupport?,
        failure: SetupFailure?,
        _ trials: [HostFeature: Bool]
    ) {
        self.facts = facts
        self.support = support
        let states = HostFeature.allCases.map { feature in
            trials[feature] == false ? .missing : Self.state(of: feature, facts, support, failure)
        }
        findings = zip(HostFeature.allCases, states).map { feature, state in
            let detail =
                switch state {
                case .present: Self.detail(of: feature, facts, support) + (trials[feature] == true ? "; tried" : "")
                case .missing: "missing"
                case .unknown: failure.map { "not reached: \($0.step.rawValue) failed" } ?? "not tried"
                }
            return HostFinding(feature: feature, state: state, detail: detail)
        }
        let missing = findings.filter { $0.state == .missing }.map(\.feature)
        gaps = Self.gaps(missing, facts, support, failure, broken: missing.filter { trials[$0] == false })
    }

    private static func state(
        of feature: HostFeature,
        _ facts: HostFacts,
        _ support: SandboxSupport?,
        _ failure: SetupFailure?
    ) -> HostFinding.State {
        // Some are known whatever was built.
        switch feature {
        case .kernel: return facts.kernelIsNewEnough ? .present : .missing
        case .priority: return facts.mayRaisePriority ? .present : .missing
        case .hostUsers where !facts.isRoot: return .missing
        default: break
        }
        if let failure, feature.steps.contains(failure.step) { return .missing }
        guard let support else { return .unknown }
        switch feature {
        case .landlock where !support.walls.contains(.landlock): return .missing
        case .seccomp where !support.walls.contains(.systemCallFilter): return .missing
        default: break
        }
        if let controller = feature.controller, !support.cgroups.controllers.contains(controller) { return .missing }
        guard let failure else { return .present }
        // A slot was begun: what comes before the step that failed is there.
        return feature.steps.allSatisfy { $0.comesBefore(failure.step) } ? .present : .unknown
    }

    private static func detail(of feature: HostFeature, _ facts: HostFacts, _ support: SandboxSupport?) -> String {
        switch feature {
        case .kernel: "Linux \(facts.kernel)"
        case .userNamespaces: "one for each run"
        case .mounts: "a read-only root, and for each run its own /proc and writable folders"
        case .pivotRoot: "the host's file system is let go"
        case .namespaces: "pid, mount, ipc, uts, cgroup and network, for each run"
        case .hostUsers: "uid and gid \(HostUserRange.Grid.ofThisProcess.first) and up, one for each slot"
        case .landlock: "ABI \(facts.landlockABI)"
        case .seccomp: "system calls are filtered"
        case .memory, .processes, .cpu: "control groups of version \(support?.cgroups.version?.rawValue ?? 0)"
        case .priority: "slots and the service go before commands"
        }
    }
}
