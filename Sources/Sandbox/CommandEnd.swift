public import Reactor

/// The kernel's record of a command's end, and what had been sent to it before.
public struct CommandEnd: Sendable, Hashable {
    /// The status as wait(2) gives it.
    public let waitStatus: Int32
    /// SIGTERM was sent to the run while its command was alive.
    public let wasTerminated: Bool
    /// SIGKILL was sent to the run while its command was alive.
    public let wasKilled: Bool
    /// When execve(2) was called.
    public let startedAt: MonotonicTime
    /// When the record was read.
    public let endedAt: MonotonicTime
    /// Processor time in user mode of all processes of the run.
    public let user: Duration
    /// Processor time in the kernel of all processes of the run.
    public let system: Duration
    /// The largest resident set of one of them.
    public let peakResidentBytes: Int

    /// A record.
    public init(
        waitStatus: Int32,
        wasTerminated: Bool,
        wasKilled: Bool,
        startedAt: MonotonicTime,
        endedAt: MonotonicTime,
        user: Duration,
        system: Duration,
        peakResidentBytes: Int
    ) {
        self.waitStatus = waitStatus
        self.wasTerminated = wasTerminated
        self.wasKilled = wasKilled
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.user = user
        self.system = system
        self.peakResidentBytes = peakResidentBytes
    }
}
