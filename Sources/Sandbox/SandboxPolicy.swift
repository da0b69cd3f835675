internal import Glibc

/// What a command may see and be.
public struct SandboxPolicy: Sendable {
    /// The host users that commands run as.
    public enum HostUsers: Sendable, Hashable {
        /// The user that the service runs as: an ordinary user may use no other.
        case own
        /// Slot number n runs as uid and gid `first + n`.
        case range(first: UInt32)
    }

    /// The read-only file system, in the order in which it is built.
    public let entries: [SandboxEntry]
    /// Who commands are on the host.
    public let hostUsers: HostUsers
    /// How many slots there may be at once.
    public let slots: Int
    /// Bytes in each of the writable file systems (`/box`, `/tmp`, `/dev/shm`).
    public let scratchBytes: Int
    /// The walls to build where the kernel has them.
    public var walls: SandboxWalls = [.systemCallFilter, .landlock]
    /// Those of them without which there is to be no sandbox at all.
    ///
    /// Landlock stands behind mounts that keep the same things out; nothing stands behind the filter.
    public var requiredWalls: SandboxWalls = .systemCallFilter

    /// The uid and gid that a command sees.
    static let user: UInt32 = 1000
    /// What hostname(1) says inside: nothing about the host.
    static let hostName = "sandglass"
    /// Files and folders in each of the writable file systems.
    static let scratchInodes = 65536
    /// The most slots that one launcher keeps.
    public static let maximumSlots = 8192

    /// The view of this host: `/usr` and its like read-only, the little of `/etc` that programs need, and nothing else.
    ///
    /// - Parameters:
    ///   - slots: how many slots there may be at once, 1 to 8192.
    ///   - scratchBytes: bytes in each of the writable file systems.
    /// - Returns: a policy with that view.
    public static func host(slots: Int, scratchBytes: Int) -> SandboxPolicy {
        let slots = min(max(slots, 1), maximumSlots)
        return SandboxPolicy(
            entries: HostView.entries(user: user, hostName: hostName),
            hostUsers: geteuid() == 0 ? .range(first: HostUserRange.first(count: slots)) : .own,
            slots: slots,
            scratchBytes: scratchBytes
        )
    }
}
