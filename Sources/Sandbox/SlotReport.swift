public import Reactor

/// What a slot says of its command.
///
/// All but the first are final, and one of those always comes.
public enum SlotReport: Sendable, Hashable {
    /// execve(2) succeeded; it was called at this time.
    case started(at: MonotonicTime)
    /// The command has ended and everything that it left behind is gone.
    case ended(CommandEnd)
    /// The command never started.
    case failed(SetupFailure)
    /// The OOM killer took the slot with all that it ran, because of the run's own memory limit.
    case outOfMemory(SlotUsage)
    /// The slot is gone, with all that it ran, and left no record.
    case vanished
}
