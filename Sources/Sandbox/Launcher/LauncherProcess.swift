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
    /// A Boolean value that indicates whether commands may install system call filters of their own.
    var allowsFilters = false

    /// The enforcement that the receipt of every run on this host states.
    package var enforcement: Enforcement {
        var receipt = cgroups.enforcement
        if protections.contains(.systemCallFilter) { receipt.syscalls = .seccomp }
        if allowsFilters { receipt.filters = Enforcement.Means.none }
        return receipt
    }
}

/// A launcher process that is ready but not yet used by the reactor.
///
/// Start it while this process is still small and, if possible, has one thread. The launcher is forked from this
/// process, and each slot from the launcher.
package struct LauncherProcess: ~Copyable, Sendable {
    /// The time that a launcher may take to build its sandbox, in milliseconds.
    ///
    /// It takes some 50. A launcher that takes longer is stopped, starved or stuck in the kernel.
    private static let startTimeoutMilliseconds: Int32 = 30_000

    let pid: pid_t
    /// The descriptor of the launcher's socket; negative once ``takeSocket()`` has transferred it.
    private var socket: Int32
    let slots: Int
    let scratchBytes: Int
    let images: [String]
    let cgroups: CgroupTree?
    /// The root of the host's view; negative if it cannot be updated, and once ``takeView(_:)`` has transferred it.
    private var view: Int32
    /// The bind mounts of the host's view.
    private let mounts: Set<String>
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
            var (found, view) = try Self.waitUntilReady(raw, search)
            found.allowsFilters = policy.allowsFilters
            support = found
            self.view = view
        } catch {
            Glibc.close(raw)
            Self.reap(pid)
            search.tree?.remove()
            throw error
        }
        self.pid = pid
        socket = raw
        mounts = HostViewUpdate.mounts(policy.entries)
        slots = policy.slots
        scratchBytes = policy.scratchBytes
        images = policy.images.map(\.name)
        cgroups = support.cgroups.version == nil ? nil : search.tree
    }

    deinit {
        if view >= 0 { close(view) }
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

    /// Transfers the root of the host's view, to keep it up to date while the launcher runs.
    ///
    /// - Parameter configuration: the additions to the view that the launcher's policy has.
    /// - Returns: the means to update the view; `nil` if the kernel does not allow it.
    package mutating func takeView(_ configuration: SandboxConfiguration) -> HostViewUpdate? {
        guard view >= 0 else { return nil }
        let root = Descriptor(owning: view)
        view = -1
        return HostViewUpdate(root: root, mounts: mounts, configuration: configuration)
    }

    private static func waitUntilReady(
        _ socket: Int32,
        _ search: CgroupSearch
    ) throws(SetupFailure) -> (support: SandboxSupport, view: Int32) {
        let (report, view): (LauncherWire.LauncherReport, Int32?)
        do throws(SystemError) {
            (report, view) = try LauncherWire.receiveFirstReport(from: socket, milliseconds: startTimeoutMilliseconds)
        } catch {
            throw SetupFailure(step: .launcher, error: error)
        }
        switch report {
        case .ready(let cgroups, let protections, let failure):
            let support = cgroups == nil ? search.support(without: failure) : search.support
            return (SandboxSupport(cgroups: support, protections: protections), view ?? -1)
        case .notReady(let failure):
            if let view { Glibc.close(view) }
            throw failure
        case .gone: throw SetupFailure(step: .launcher, number: EPIPE)
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
