public import Runs
public import Store

/// Why a run was not accepted.
public enum SubmissionError: Error, Sendable, Hashable {
    /// As many runs wait as may, or as much input for them.
    case queueFull(waiting: Int)
    /// As many of the principal's own runs wait as may.
    case tooManyWaiting(most: Int)
    /// The service is being stopped, or has lost its launcher.
    case notAccepting
    /// It cannot be remembered: the disk is full, most often.
    case notStored(StoreError)
    /// Its key came with another body before.
    case keyTaken
    /// The run that its key stands for has been forgotten.
    case keyForgotten(RunID)
}
