@testable import Sandbox

extension HostFacts {
    /// Of a made-up host that lacks nothing, and whatever a test changes about it.
    static func make(_ change: (inout HostFacts) -> Void = { _ in }) -> HostFacts {
        var facts = HostFacts()
        facts.kernel = "6.1.0-13-amd64"
        facts.isRoot = true
        facts.capabilities = .max
        facts.landlockABI = 3
        facts.mayRaisePriority = true
        change(&facts)
        return facts
    }

    /// In a container that was started without any flag.
    static func makeContainer(_ name: String, _ change: (inout HostFacts) -> Void = { _ in }) -> HostFacts {
        make { facts in
            facts.container = name
            facts.capabilities = 0
            facts.isFiltered = true
            facts.procIsMasked = true
            change(&facts)
        }
    }
}

extension SandboxSupport {
    /// What a made-up launcher says.
    static func make(
        _ version: CgroupVersion? = .two,
        _ controllers: Set<CgroupSupport.Controller> = [.memory, .processes, .cpu],
        walls: SandboxWalls = [.systemCallFilter, .landlock]
    ) -> SandboxSupport {
        let isWhole = controllers.count == CgroupSupport.Controller.allCases.count
        return SandboxSupport(
            cgroups: CgroupSupport(version: version, controllers: controllers, gap: isWhole ? nil : "none to be had"),
            walls: walls
        )
    }
}
