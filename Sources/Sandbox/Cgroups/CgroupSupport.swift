package import RunModel

/// The version of the control groups that enforce limits on this host (cgroups(7)).
package enum CgroupVersion: UInt32, Sendable, Hashable {
    /// Version 1: one hierarchy for each controller, or for some controllers together.
    case one = 1
    /// Version 2: one hierarchy for all controllers.
    case two = 2
}

/// The limits that control groups enforce on this host, as found when the launcher started.
package struct CgroupSupport: Sendable, Hashable {
    /// A controller of a run's group.
    package enum Controller: Int, Sendable, CaseIterable {
        /// Limits and measures memory.
        case memory
        /// Limits the number of processes.
        case processes
        /// Measures processor time.
        case cpu
    }

    /// The version of the groups; `nil` if none are used.
    package let version: CgroupVersion?
    /// The controllers that the groups have.
    package let controllers: Set<Controller>
    /// The reason why some controllers are missing, in one line; `nil` if none is missing.
    package let gap: String?

    /// The enforcement that the receipt of every run on this host states, as far as control groups decide it.
    package var enforcement: Enforcement {
        let fallback = Enforcement.minimum
        return Enforcement(
            memory: means(.memory) ?? fallback.memory,
            processes: means(.processes) ?? fallback.processes,
            cpu: means(.cpu) ?? fallback.cpu,
            network: fallback.network,
            filesystem: fallback.filesystem,
            syscalls: fallback.syscalls
        )
    }

    /// Returns whether a group enforces the limit of a feature.
    package func enforces(_ feature: HostFeature) -> Bool { feature.controller.map(controllers.contains) ?? false }

    private func means(_ controller: Controller) -> Enforcement.Means? {
        guard controllers.contains(controller) else { return nil }
        return switch version {
        case .one: .cgroup1
        case .two: .cgroup2
        case nil: nil
        }
    }
}
