internal import CLinux
internal import Glibc
internal import Reactor
package import RunModel
internal import System

/// The limits and protections that every slot has on this host, as found when the launcher started.
package struct SandboxSupport: Sendable, Hashable {
    /// The limits that control groups enforce.
    package let cgroups: CgroupSupport
    /// The protections that each slot has beside its namespaces.
    package let protections: SandboxProtections

    /// The enforcement that the receipt of every run on this host states.
    package var enforcement: Enforcement {
        var receipt = cgroups.enforcement
        if protections.contains(.systemCallFilter) { receipt.syscalls = .seccomp }
        return receipt
    }
}

/// A launcher process that is ready but not yet used by the reactor.
///
/// Start it while this process is still small and, if possible, has one thread. The launcher is forked from this
/// process, and each slot from the launcher.
package struct LauncherProcess: ~Copyable, Sendable {
    let pid: pid_t
    /// The descriptor of the launcher's socket; negative once ``takeSocket()`` has transferred it.
    private var socket: Int32
    let slots: Int
    let scratchBytes: Int
    let images: [String]
    let cgroups: CgroupTree?
    /// The limits and protections that every slot has on this host.
    package let support: SandboxSupport

    /// Forks a launcher and waits until it has built its sandbox.
    ///
    /// - Parameter policy: the view, users and protections of commands.
    /// - Throws: the step that failed.
    package init(_ policy: SandboxPolicy) throws(SetupFailure) {
        let search = CgroupSearch.makeTree()
        // From here on, the launcher alone holds the directories and their locks.
        defer { search.tree?.close() }
        let (pid, raw) = try LauncherPlan.startLauncher(policy, search.tree)
        do throws(SetupFailure) {
            support = try Self.waitUntilReady(raw, search)
        } catch {
            Glibc.close(raw)
            Self.reap(pid)
            search.tree?.remove()
            throw error
        }
        self.pid = pid
        socket = raw
        slots = policy.slots
        scratchBytes = policy.scratchBytes
        images = policy.images.map(\.name)
        cgroups = support.cgroups.version == nil ? nil : search.tree
    }

    deinit {
        guard socket >= 0 else { return }
        // No `Launcher` has taken this process over. It ends when its socket is closed.
        close(socket)
        Self.reap(pid)
        cgroups?.remove()
    }

    /// Transfers the socket, and with it the duty to end and reap the process.
    mutating func takeSocket() -> Descriptor {
        let raw = socket
        socket = -1
        return Descriptor(owning: raw)
    }

    private static func waitUntilReady(
        _ socket: Int32,
        _ search: CgroupSearch
    ) throws(SetupFailure) -> SandboxSupport {
        while true {
            switch LauncherWire.readLauncherReport(from: socket) {
            case .report(.ready(let cgroups, let protections, let failure)):
                let support = cgroups == nil ? search.support(without: failure) : search.support
                return SandboxSupport(cgroups: support, protections: protections)
            case .report(.notReady(let failure)): throw failure
            case .wouldBlock:
                var event = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
                poll(&event, 1, -1)
            case .report(.gone), .closed: throw SetupFailure(step: .launcher, number: EPIPE)
            }
        }
    }

    /// Waits until the launcher has ended.
    ///
    /// A launcher that is stopped (SIGSTOP) does not end when its socket is closed. It is killed after 2 seconds, and
    /// its slots die with it.
    static func reap(_ pid: pid_t) {
        sandglass_reap(pid, 2000)
    }
}
