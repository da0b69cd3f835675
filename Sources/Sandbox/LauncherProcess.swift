internal import CLinux
internal import Glibc
internal import Reactor

/// A launcher that is ready, before anything on the reactor uses it.
///
/// Start it while the process is still small and, if possible, has one thread: each slot is forked from the launcher, and
/// the launcher from this process.
public struct LauncherProcess: ~Copyable, Sendable {
    let pid: pid_t
    /// Negative once it is given away.
    private var socket: Int32
    let slots: Int
    let scratchBytes: Int
    let images: [String]
    let cgroups: CgroupTree?
    /// What this host lets every slot have.
    public let support: SandboxSupport

    /// Forks a launcher and waits until it has built its sandbox.
    ///
    /// - Parameter policy: what commands may see and be.
    /// - Throws: what could not be set up.
    public init(_ policy: SandboxPolicy) throws(SetupFailure) {
        let search = CgroupSearch.makeTree()
        // The launcher alone has them, and their lock, from here on.
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
        // Nobody has taken it over: it ends with its socket.
        close(socket)
        Self.reap(pid)
        cgroups?.remove()
    }

    /// Gives its socket away, and with it the duty to end and reap it.
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
            case .report(.ready(let cgroups, let walls, let failure)):
                let support = cgroups == nil ? search.support(without: failure) : search.support
                return SandboxSupport(cgroups: support, walls: walls)
            case .report(.notReady(let failure)): throw failure
            case .nothingYet:
                var event = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
                poll(&event, 1, -1)
            case .report(.gone), .end: throw SetupFailure(step: .launcher, number: EPIPE)
            }
        }
    }

    /// Waits for its end.
    ///
    /// One that does not end with its socket, because somebody stopped it, is killed; its slots die of that too.
    static func reap(_ pid: pid_t) {
        sandglass_reap(pid, 2000)
    }
}
