/// The features that this host offers, the features that it lacks, and the consequences.
package struct HostReport: Sendable, Hashable {
    /// The properties that were read about the host.
    package let host: HostInfo
    /// The limits and protections of every slot; `nil` without a launcher.
    package let support: SandboxSupport?
    /// One finding for each feature, in the order of features.
    package let findings: [HostFinding]
    /// One gap for each missing feature, or for several with one cause, in the order of features.
    ///
    /// The gap of a sandbox that could not be built comes first.
    package let gaps: [Gap]

    /// Creates a report of a host on which a launcher is ready.
    ///
    /// - Parameters:
    ///   - host: the properties that were read about the host.
    ///   - support: the limits and protections that the launcher reported.
    ///   - probes: the results of the probes: whether each protection held.
    package init(_ host: HostInfo, _ support: SandboxSupport, probes: [HostFeature: Bool] = [:]) {
        self.init(host, support, failure: nil, probes)
    }

    /// Creates a report of a host on which no launcher could be started (without support), or no slot could be created.
    package init(_ host: HostInfo, failure: SetupFailure, support: SandboxSupport? = nil) {
        self.init(host, support, failure: failure, [:])
    }

    /// Returns the required features that are missing, in the order of features.
    ///
    /// A feature that could not be tested counts as missing.
    package func missing(of required: Set<HostFeature>) -> [HostFeature] {
        findings.filter { $0.state != .present && required.contains($0.feature) }.map(\.feature)
    }

    /// Returns the gaps that explain why some features are missing.
    package func gaps(of features: [HostFeature]) -> [Gap] {
        gaps.filter { gap in gap.features.isEmpty || gap.features.contains(where: features.contains) }
    }

    private init(
        _ host: HostInfo,
        _ support: SandboxSupport?,
        failure: SetupFailure?,
        _ probes: [HostFeature: Bool]
    ) {
        self.host = host
        self.support = support
        let states = HostFeature.allCases.map { feature in
            probes[feature] == false ? .missing : Self.state(of: feature, host, support, failure)
        }
        findings = zip(HostFeature.allCases, states).map { feature, state in
            let detail =
                switch state {
                case .present: Self.detail(of: feature, host, support) + (probes[feature] == true ? "; tested" : "")
                case .missing: "missing"
                case .unknown: failure.map { "not reached: the step \($0.step.rawValue) failed" } ?? "not tested"
                }
            return HostFinding(feature: feature, state: state, detail: detail)
        }
        let missing = findings.filter { $0.state == .missing }.map(\.feature)
        gaps = Self.gaps(missing, host, support, failure, breached: missing.filter { probes[$0] == false })
    }

    private static func state(
        of feature: HostFeature,
        _ host: HostInfo,
        _ support: SandboxSupport?,
        _ failure: SetupFailure?
    ) -> HostFinding.State {
        // These features are known even if no sandbox was built.
        switch feature {
        case .kernel: return host.kernelIsNewEnough ? .present : .missing
        case .priority: return host.canRaisePriority ? .present : .missing
        case .hostUsers where !host.isRoot: return .missing
        default: break
        }
        if let failure, feature.steps.contains(failure.step) { return .missing }
        guard let support else { return .unknown }
        switch feature {
        case .landlock where !support.protections.contains(.landlock): return .missing
        case .seccomp where !support.protections.contains(.systemCallFilter): return .missing
        default: break
        }
        if let controller = feature.controller, !support.cgroups.controllers.contains(controller) { return .missing }
        guard let failure else { return .present }
        // A slot failed: the features of the steps before the failed one are present.
        return feature.steps.allSatisfy { $0.comesBefore(failure.step) } ? .present : .unknown
    }

    private static func detail(of feature: HostFeature, _ host: HostInfo, _ support: SandboxSupport?) -> String {
        switch feature {
        case .kernel: "Linux \(host.kernel)"
        case .userNamespaces: "one for each run"
        case .mounts: "a read-only root, and for each run its own /proc and writable directories"
        case .pivotRoot: "runs do not see the host's file system"
        case .namespaces: "pid, mount, ipc, uts, cgroup and network, for each run"
        case .hostUsers: "uid and gid \(HostUserRange.Grid.ofThisProcess.first) and up, one for each slot"
        case .landlock: "ABI \(host.landlockABI)"
        case .seccomp: "system calls are filtered"
        case .memory, .processes, .cpu: "control groups of version \(support?.cgroups.version?.rawValue ?? 0)"
        case .priority: "slots and the service run before commands"
        }
    }
}

/// The presence of one host feature.
package struct HostFinding: Sendable, Hashable {
    /// The result of a test.
    package enum State: String, Sendable, Hashable {
        /// The host has the feature.
        case present
        /// The host lacks the feature.
        case missing
        /// The feature was not tested, because an earlier step failed.
        case unknown
    }

    /// The feature.
    package let feature: HostFeature
    /// The result.
    package let state: State
    /// A short explanation, such as a version.
    package let detail: String
}

/// Features that a host lacks for one reason, described for operators.
package struct Gap: Sendable, Hashable {
    /// The missing features.
    package let features: [HostFeature]
    /// The problem, as a clause.
    package let problem: String
    /// The consequence: the limit or protection that is not enforced.
    package let consequence: String
    /// The action that gives the host the features.
    package let remedy: String
}

extension Gap: CustomStringConvertible {
    /// One line.
    package var description: String {
        let names = features.map(\.rawValue).joined(separator: ", ")
        return "\(names.isEmpty ? "" : names + ": ")\(problem). Consequence: \(consequence). Remedy: \(remedy)"
    }
}
