package import RunModel
package import System

/// A report of a slot about its command.
///
/// Every case but `started` is final. Each slot sends exactly one final report.
package enum SlotReport: Sendable, Hashable {
    /// The command is running: execve(2) was called at this time and succeeded.
    case started(at: MonotonicTime)
    /// The command has ended, and every process that it left behind is gone.
    case ended(ExitRecord)
    /// The command never started.
    case failed(SetupFailure)
    /// The OOM killer ended the slot and all its processes because of the run's own memory limit.
    case outOfMemory(SlotUsage)
    /// The slot and all its processes are gone without a record of the command's end.
    case vanished
}

/// The kernel's record of a command's end, with the signals that the slot had sent before.
package struct ExitRecord: Sendable, Hashable {
    /// The wait status (wait(2)).
    package let waitStatus: Int32
    /// A Boolean value that indicates whether SIGTERM was sent to the run while its command was alive.
    package let wasTerminated: Bool
    /// A Boolean value that indicates whether SIGKILL was sent to the run while its command was alive.
    package let wasKilled: Bool
    /// A Boolean value that indicates whether the run had used up its processor time and was signaled for that.
    ///
    /// Either SIGKILL was sent to the run, or the kernel sent SIGXCPU or SIGKILL.
    package let usedUpProcessorTime: Bool
    /// A Boolean value that indicates whether the OOM killer had ended a process of the run before any signal was sent.
    ///
    /// Only kills because of the run's own limit count.
    package let ranOutOfMemory: Bool
    /// The time at which execve(2) was called.
    package let startedAt: MonotonicTime
    /// The time at which the wait status was read.
    package let endedAt: MonotonicTime
    /// The processor time in user mode of all processes of the run.
    package let user: Duration
    /// The processor time in the kernel of all processes of the run.
    package let system: Duration
    /// The peak memory of all processes of the run together, in bytes.
    ///
    /// Without a control group it is the peak memory of the largest process.
    package let peakMemoryBytes: Int
    /// The largest resident set of one process, in bytes.
    package let maxResidentBytes: Int
    /// The memory that was left at the end; `nil` without a control group of version 2.
    package let memoryAtEnd: MemoryAtEnd?

    /// Creates a record.
    package init(
        waitStatus: Int32,
        wasTerminated: Bool,
        wasKilled: Bool,
        usedUpProcessorTime: Bool = false,
        ranOutOfMemory: Bool = false,
        startedAt: MonotonicTime,
        endedAt: MonotonicTime,
        user: Duration,
        system: Duration,
        peakMemoryBytes: Int,
        maxResidentBytes: Int,
        memoryAtEnd: MemoryAtEnd? = nil
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
        self.maxResidentBytes = maxResidentBytes
        self.memoryAtEnd = memoryAtEnd
    }
}

/// The resource usage of a run whose slot was killed, as the launcher measured it.
package struct SlotUsage: Sendable, Hashable {
    /// The processor time in user mode of all processes of the run.
    package let user: Duration
    /// The processor time in the kernel of all processes of the run.
    package let system: Duration
    /// The peak memory of all processes of the run together, in bytes.
    package let peakMemoryBytes: Int
    /// The largest resident set of one process, in bytes.
    package let maxResidentBytes: Int
    /// The memory that was left at the end; `nil` without a control group of version 2.
    package var memoryAtEnd: MemoryAtEnd?
}
