/// What a run used.
public struct Usage: Sendable, Hashable {
    /// From the command's exec to its end, by CLOCK_MONOTONIC.
    public let wall: Duration
    /// Processor time in user mode of all its processes; `nil` when the kernel's record was lost.
    public let user: Duration?
    /// Processor time in the kernel of all its processes; `nil` when the kernel's record was lost.
    public let system: Duration?
    /// The most memory that it had at once: what its control group was charged for, which includes its supervisor (some
    /// 200 KiB) and its files; without a control group the largest resident set of one process (getrusage(2), ru_maxrss).
    public let peakMemoryBytes: Int?
    /// From its acceptance until it was its turn; `nil` where nobody waits in line.
    public var queued: Duration?

    /// What was measured.
    public init(
        wall: Duration,
        user: Duration?,
        system: Duration?,
        peakMemoryBytes: Int?,
        queued: Duration? = nil
    ) {
        self.queued = queued
        self.wall = wall
        self.user = user
        self.system = system
        self.peakMemoryBytes = peakMemoryBytes
    }
}
