public import Runs

/// What this host lets every slot have, as was found when the launcher started.
public struct SandboxSupport: Sendable, Hashable {
    /// What control groups do.
    public let cgroups: CgroupSupport
    /// The walls that each slot has beside its namespaces.
    public let walls: SandboxWalls

    /// The receipt of every run here.
    public var enforcement: Enforcement {
        var receipt = cgroups.enforcement
        if walls.contains(.systemCallFilter) { receipt.syscalls = .seccomp }
        return receipt
    }
}
