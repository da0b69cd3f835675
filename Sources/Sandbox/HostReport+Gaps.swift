extension HostReport {
    /// What is to be said of what is missing.
    ///
    /// What is `broken` seemed to be there, and a command got past it in earnest.
    static func gaps(
        _ missing: [HostFeature],
        _ facts: HostFacts,
        _ support: SandboxSupport?,
        _ failure: SetupFailure?,
        broken: [HostFeature]
    ) -> [Gap] {
        var gaps: [Gap] = []
        if let failure {
            let failed = missing.filter { $0.steps.contains(failure.step) }
            gaps.append(
                Gap(
                    features: failed,
                    what: "building the sandbox failed: \(failure.summary)",
                    cost: "no command can be run, and sandglass does not start",
                    remedy: facts.remedy(for: failure)
                )
            )
        }
        let explained = Set(gaps.flatMap(\.features) + broken)
        gaps += broken.map { feature in
            Gap(
                features: [feature],
                what: "a command that tried got past it, although it seemed to be in place",
                cost: cost(of: feature),
                remedy: "there is none yet: please report it, with the kernel's release (\(facts.kernel))"
            )
        }
        let rest = missing.filter { !explained.contains($0) }
        gaps += rest.filter { $0.controller == nil }.map { gap($0, facts) }
        let uncontrolled = rest.filter { $0.controller != nil }
        if !uncontrolled.isEmpty {
            gaps.append(
                Gap(
                    features: uncontrolled,
                    what: support?.cgroups.gap ?? "no control groups",
                    cost: uncontrolled.map(cost).joined(separator: "; "),
                    remedy: facts.cgroupRemedy
                )
            )
        }
        // The failure stays first.
        let order = HostFeature.allCases
        func place(_ gap: Gap) -> Int { gap.features.first.flatMap { order.firstIndex(of: $0) } ?? 0 }
        return Array(gaps.prefix(failure == nil ? 0 : 1))
            + gaps.dropFirst(failure == nil ? 0 : 1).sorted { place($0) < place($1) }
    }

    private static func gap(_ feature: HostFeature, _ facts: HostFacts) -> Gap {
        let (what, remedy) =
            switch feature {
            case .kernel:
                ("this kernel is Linux \(facts.kernel)", "boot Linux 5.15 or later")
            case .landlock:
                ("this kernel has no Landlock of ABI 2 or later", facts.landlockRemedy)
            case .seccomp:
                ("this kernel takes no filter of system calls", "boot a kernel with CONFIG_SECCOMP_FILTER")
            case .hostUsers:
                ("sandglass runs as an ordinary user, who may use no other", "run sandglass as root")
            case .priority:
                ("sandglass may not have a better priority", facts.priorityRemedy)
            default: ("it is missing", "see the README")
            }
        return Gap(features: [feature], what: what, cost: cost(of: feature), remedy: remedy)
    }

    private static func cost(of feature: HostFeature) -> String {
        switch feature {
        case .kernel, .userNamespaces, .mounts, .pivotRoot, .namespaces:
            "nothing keeps a command from the host, and no command is run"
        case .hostUsers:
            "on the host every run is the same user as the service, and a command that got out could do what that may"
        case .landlock:
            "the mounts alone keep a command from writing: a mistake in them would be an escape"
        case .seccomp:
            "a command could use every system call of the kernel, and every fault in one; no command is run"
        case .memory:
            "memory is not limited: a command can take all that the host has, and memory_limit is never an outcome"
        case .processes:
            "processes are limited by RLIMIT_NPROC alone (setrlimit(2))"
        case .cpu:
            "processor time is limited by RLIMIT_CPU of each process, in whole seconds: a command that forks gets more"
        case .priority:
            "everything works, but under load deadlines are met later"
        }
    }
}
