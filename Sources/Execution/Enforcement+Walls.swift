public import Runs
public import Sandbox

extension Enforcement {
    /// What is enforced by sandboxes that have these walls.
    ///
    /// - Parameter walls: what the launcher found that this kernel has.
    public init(by walls: SandboxWalls) {
        let everywhere = Enforcement.current
        self.init(
            memory: everywhere.memory,
            processes: everywhere.processes,
            cpu: everywhere.cpu,
            network: everywhere.network,
            filesystem: everywhere.filesystem,
            syscalls: walls.contains(.systemCallFilter) ? .seccomp : .none
        )
    }
}
