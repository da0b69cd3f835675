internal import CLinux
internal import Glibc
internal import Reactor

/// A launcher that is ready, before anything on the reactor uses it.
///
/// Start it while the process is still small and, if possible, has one thread: each slot is forked from the launcher, and
/// the launcher from this process.
public struct LauncherProcess: ~Copyable, Sendable {
    let pid: pid_t
    private let socket: Int32
    let slots: Int
    /// The walls that each of its slots has: those asked for that this kernel has.
    public let walls: SandboxWalls

    /// Forks a launcher and waits until it has built its sandbox.
    ///
    /// - Parameter policy: what commands may see and be.
    /// - Throws: what could not be set up.
    public init(_ policy: SandboxPolicy) throws(SetupFailure) {
        let (pid, raw) = try LauncherPlan.startLauncher(policy)
        do throws(SetupFailure) {
            walls = try Self.waitUntilReady(raw)
        } catch {
            close(raw)
            Self.reap(pid)
            throw error
        }
        self.pid = pid
        socket = raw
        slots = policy.slots
    }

    deinit {
        // Nobody has taken it over: it ends with its socket.
        close(socket)
        Self.reap(pid)
    }

    /// Gives its socket away, and with it the duty to end and reap it.
    consuming func takeSocket() -> Descriptor {
        let raw = socket
        discard self
        return Descriptor(owning: raw)
    }

    private static func waitUntilReady(_ socket: Int32) throws(SetupFailure) -> SandboxWalls {
        while true {
            switch LauncherWire.readLauncherReport(from: socket) {
            case .report(.ready(let walls)): return walls
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
