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

extension HostReport {
    /// Explains the missing features.
    ///
    /// - Parameters:
    ///   - missing: the missing features.
    ///   - host: the properties that were read about the host.
    ///   - support: the limits and protections of every slot; `nil` without a launcher.
    ///   - failure: the failure to build a launcher or a slot, if there was one.
    ///   - breached: the missing features that seemed to be present until a probe got past them.
    /// - Returns: the gaps, that of the failure first.
    private static func gaps(
        _ missing: [HostFeature],
        _ host: HostInfo,
        _ support: SandboxSupport?,
        _ failure: SetupFailure?,
        breached: [HostFeature]
    ) -> [Gap] {
        var failureGaps: [Gap] = []
        if let failure {
            failureGaps.append(
                Gap(
                    features: missing.filter { $0.steps.contains(failure.step) },
                    problem: "the sandbox could not be built: \(failure.summary)",
                    consequence: "no command can run, and sandglass does not start",
                    remedy: host.remedy(for: failure)
                )
            )
        }
        let explained = Set(failureGaps.flatMap(\.features) + breached)
        var gaps = breached.map { feature in
            Gap(
                features: [feature],
                problem: "a test command got past this protection, although it was in place",
                consequence: consequence(of: feature),
                remedy: "none is known; please report this with the kernel's release (\(host.kernel))"
            )
        }
        let unexplained = missing.filter { !explained.contains($0) }
        gaps += unexplained.filter { $0.controller == nil }.map { gap($0, host) }
        let unlimited = unexplained.filter { $0.controller != nil }
        if !unlimited.isEmpty {
            gaps.append(
                Gap(
                    features: unlimited,
                    problem: support?.cgroups.gap ?? "no control groups",
                    consequence: unlimited.map(consequence).joined(separator: "; "),
                    remedy: host.cgroupRemedy
                )
            )
        }
        let order = HostFeature.allCases
        func position(_ gap: Gap) -> Int { gap.features.first.flatMap { order.firstIndex(of: $0) } ?? 0 }
        return failureGaps + gaps.sorted { position($0) < position($1) }
    }

    private static func gap(_ feature: HostFeature, _ host: HostInfo) -> Gap {
        let (problem, remedy) =
            switch feature {
            case .kernel:
                ("the kernel, Linux \(host.kernel), is older than 5.15", "boot Linux 5.15 or later")
            case .landlock:
                ("this kernel has no Landlock of ABI 2 or later", host.landlockRemedy)
            case .seccomp:
                ("this kernel accepts no system call filter", "boot a kernel with CONFIG_SECCOMP_FILTER")
            case .hostUsers:
                ("sandglass runs as an ordinary user, who cannot run commands as another user", "run sandglass as root")
            case .priority:
                ("sandglass may not raise its own priority", host.priorityRemedy)
            default: ("the host lacks this feature", "see docs/sandbox.md")
            }
        return Gap(features: [feature], problem: problem, consequence: consequence(of: feature), remedy: remedy)
    }

    private static func consequence(of feature: HostFeature) -> String {
        switch feature {
        case .kernel, .userNamespaces, .mounts, .pivotRoot, .namespaces:
            "commands cannot be isolated from the host, so sandglass runs none"
        case .hostUsers:
            "every run has the same host user as the service, so a command that escapes has the service's rights"
        case .landlock:
            "only the mounts keep a command from writing outside its directories, so a flaw in them would be an escape"
        case .seccomp:
            "a command could make every system call and exploit a flaw in any of them, so sandglass runs none"
        case .memory:
            "memory is not limited: a command can use all memory of the host, and no run ends as memory_limit"
        case .processes:
            "only RLIMIT_NPROC limits the number of processes (setrlimit(2))"
        case .cpu:
            "only RLIMIT_CPU limits processor time, per process and in whole seconds, so a command that forks gets more"
        case .priority:
            "under load, deadlines are enforced later; everything else works"
        }
    }
}
