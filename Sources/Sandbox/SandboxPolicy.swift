internal import Glibc

/// What a command may see and be.
public struct SandboxPolicy: Sendable {
    /// The host users that commands run as.
    public enum HostUsers: Sendable, Hashable {
        /// The user that the service runs as: an ordinary user may use no other.
        case own
        /// Each slot runs as a uid and gid of its own, from a range that is nobody else's.
        case eachItsOwn
    }

    /// The read-only file system, in the order in which it is built.
    public let entries: [SandboxEntry]
    /// Who commands are on the host.
    public let hostUsers: HostUsers
    /// How many slots there may be at once.
    public let slots: Int
    /// Bytes in `/box`, `/tmp` and `/dev/shm` together, of slots that are made ahead of need.
    public let scratchBytes: Int
    /// Further file systems that a slot may show instead.
    public var images: [SandboxImage] = []
    /// Whether a slot may share the host's network.
    public var allowsHostNetwork = false
    /// The walls to build where the kernel has them.
    public var walls: SandboxWalls = [.systemCallFilter, .landlock]
    /// Those of them without which there is to be no sandbox at all.
    ///
    /// Landlock stands behind mounts that keep the same things out; nothing stands behind the filter.
    public var requiredWalls: SandboxWalls = .systemCallFilter
    /// What a run's `/proc` does not show.
    var masks = ProcMask.ofThisHost()
    /// Whether `/proc` is as the kernel makes it: for trials of what stands behind.
    var procIsWritable = false

    /// The uid and gid that a command sees.
    static let user: UInt32 = 1000
    /// What hostname(1) says inside: nothing about the host.
    static let hostName = "sandglass"
    /// Files and folders in them together.
    static let scratchInodes = 65536
    /// The most slots that one launcher keeps.
    public static let maximumSlots = 8192

    /// The view of this host: `/usr` and its like read-only, the little of `/etc` that programs need, and nothing else.
    ///
    /// - Parameters:
    ///   - slots: how many slots there may be at once, 1 to 8192.
    ///   - scratchBytes: bytes in the writable folders of a slot that is made ahead of need.
    ///   - configuration: what commands may have beside that.
    /// - Returns: a policy with that view.
    public static func host(
        slots: Int,
        scratchBytes: Int,
        configuration: SandboxConfiguration = SandboxConfiguration()
    ) -> SandboxPolicy {
        let isRoot = geteuid() == 0
        let slots = min(max(slots, 1), isRoot ? HostUserRange.Grid.ofThisProcess.blockSize : maximumSlots)
        return SandboxPolicy(
            entries: HostView.entries(user: user, hostName: hostName, configuration: configuration),
            hostUsers: isRoot ? .eachItsOwn : .own,
            slots: slots,
            scratchBytes: scratchBytes,
            images: configuration.images,
            allowsHostNetwork: configuration.allowsHostNetwork
        )
    }

    /// For a launcher that finds out what this host has: a wall that is missing is a finding, and more can be found
    /// behind it.
    ///
    /// - Parameter scratchBytes: bytes in the writable folders of a slot.
    /// - Returns: the host's view for one slot, without the read-only `/proc` before Landlock.
    public static func trial(scratchBytes: Int) -> SandboxPolicy {
        var policy = host(slots: 1, scratchBytes: scratchBytes)
        policy.requiredWalls = []
        policy.procIsWritable = true
        return policy
    }
}
