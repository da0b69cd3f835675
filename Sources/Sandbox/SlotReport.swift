public import Reactor

/// What a slot says of its command.
///
/// The last three are final, and one of them always comes.
public enum SlotReport: Sendable, Hashable {
    /// execve(2) succeeded; it was called at this time.
    case started(at: MonotonicTime)
    /// The command has ended and everything that it left behind is gone.
    case ended(CommandEnd)
    /// The command never started.
    case failed(SetupFailure)
    /// The slot is gone, with all that it ran, and left no record.
    case vanished
}
