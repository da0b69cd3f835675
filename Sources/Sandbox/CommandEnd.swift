public import Reactor

/// The kernel's record of a command's end, and what had been sent to it before.
public struct CommandEnd: Sendable, Hashable {
    /// The status as wait(2) gives it.
    public let waitStatus: Int32
    /// SIGTERM was sent to the run while its command was alive.
    public let wasTerminated: Bool
    /// SIGKILL was sent to the run while its command was alive.
    public let wasKilled: Bool
    /// It had used up its processor time, and was sent SIGKILL for that, or the kernel sent SIGXCPU or SIGKILL.
    public let usedUpProcessorTime: Bool
    /// Before anything was sent, the OOM killer had ended a process of the run because of the run's own limit.
    public let ranOutOfMemory: Bool
    /// When execve(2) was called.
    public let startedAt: MonotonicTime
    /// When the record was read.
    public let endedAt: MonotonicTime
    /// Processor time in user mode of all processes of the run.
    public let user: Duration
    /// Processor time in the kernel of all processes of the run.
    public let system: Duration
    /// The most memory that they had together, or, without a control group, that one of them had.
    public let peakMemoryBytes: Int

    /// A record.
    public init(
        waitStatus: Int32,
        wasTerminated: Bool,
        wasKilled: Bool,
        usedUpProcessorTime: Bool = false,
        ranOutOfMemory: Bool = false,
        startedAt: MonotonicTime,
        endedAt: MonotonicTime,
        user: Duration,
        system: Duration,
        peakMemoryBytes: Int
    ) {
        self.waitStatus = waitStatus
        self.wasTerminated = wasTerminated
        self.wasKilled = wasKilled
        self.usedUpProcessorTime = usedUpProcessorTime
        self.ranOutOfMemory = ranOutOfMemory
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.user = user
        self.system = system
        self.peakMemoryBytes = peakMemoryBytes
    }
}
