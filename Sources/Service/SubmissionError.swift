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
    /// These blobs that it is given are not there, or not for whoever asks.
    case missingBlobs([String])
    /// Its key came with another body before.
    case keyTaken
    /// The run that its key stands for has been forgotten.
    case keyForgotten(RunID)

    /// A word for it, one of ``reasons``: what it is counted and logged by.
    public var reason: String {
        switch self {
        case .queueFull: "queue_full"
        case .tooManyWaiting: "too_many_waiting"
        case .notAccepting: "not_accepting"
        case .notStored: "not_stored"
        case .missingBlobs: "missing_blobs"
        case .keyTaken: "key_taken"
        case .keyForgotten: "key_forgotten"
        }
    }

    /// All of them.
    public static let reasons = [
        "queue_full", "too_many_waiting", "not_accepting", "not_stored", "missing_blobs", "key_taken", "key_forgotten",
    ]
}
