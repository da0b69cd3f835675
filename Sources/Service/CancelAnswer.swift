public import Runs

/// What came of the wish to cancel a run.
public enum CancelAnswer: Sendable, Hashable {
    /// It was queued or runs, and is being ended.
    case accepted(Run)
    /// It was finished already.
    case finished(Run)
    /// There is no such run.
    case unknown
}
