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
    static func gaps(
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
