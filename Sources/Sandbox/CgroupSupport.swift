public import Runs

/// What control groups do on this host, as was found when the launcher started.
public struct CgroupSupport: Sendable, Hashable {
    /// What a group can do for a run.
    public enum Controller: Int, Sendable, CaseIterable {
        /// Limit and measure memory.
        case memory
        /// Limit processes.
        case processes
        /// Measure processor time.
        case cpu
    }

    /// Whose groups are used; `nil`: none.
    public let version: CgroupVersion?
    /// What they do.
    public let controllers: Set<Controller>
    /// Why they do not do all of it, in one line; `nil` if they do.
    public let gap: String?

    /// The receipt of every run here.
    public var enforcement: Enforcement {
        let always = Enforcement.current
        return Enforcement(
            memory: means(.memory) ?? always.memory,
            processes: means(.processes) ?? always.processes,
            cpu: means(.cpu) ?? always.cpu,
            network: always.network,
            filesystem: always.filesystem,
            syscalls: always.syscalls
        )
    }

    /// Whether a group limits what a feature is about.
    public func keeps(_ feature: HostFeature) -> Bool { feature.controller.map(controllers.contains) ?? false }

    private func means(_ controller: Controller) -> Enforcement.Means? {
        guard controllers.contains(controller) else { return nil }
        return switch version {
        case .one: .cgroup1
        case .two: .cgroup2
        case nil: nil
        }
    }
}
