package import RunModel
package import Store
package import System

/// A client's request for a run.
package struct Submission: Sendable {
    /// The command and its conditions.
    package var specification: RunSpecification
    /// The name of the principal that owns the run.
    package var principal: String
    /// True if the run may use the blobs of all principals, and not only those of its owner.
    package var seesAllBlobs = false
    /// The client's key for this request.
    ///
    /// Repeating the request with the same key returns the same run.
    package var key: IdempotencyKey?
    /// The digest of the specification, if the result of an earlier run of it is acceptable (`cache: true`).
    package var cacheDigest: SHA256Digest?
    /// True if the specification is that of an earlier run, whose input may be gone.
    package var isRerun = false
    /// The trace that the request is part of, for the log.
    package var trace: TraceContext?

    package init(
        _ specification: RunSpecification,
        of principal: String = "",
        key: IdempotencyKey? = nil,
        cacheDigest: SHA256Digest? = nil
    ) {
        self.specification = specification
        self.principal = principal
        self.key = key
        self.cacheDigest = cacheDigest
    }
}

/// The result of an accepted submission.
package struct SubmitResult: Sendable, Hashable {
    /// The run in its current state.
    package let run: Run
    /// True if the run belongs to an earlier submission of the same specification (`cache: true`).
    ///
    /// It may still be running.
    package let isCached: Bool
}

/// The reason why a submission was rejected.
package enum SubmissionError: Error, Sendable, Hashable {
    /// The queue is full, by the number of runs or by the memory that their input takes.
    case queueFull(waiting: Int)
    /// The principal has reached its own queue limit of `most` runs.
    case tooManyWaiting(most: Int)
    /// The service is shutting down or has lost its launcher.
    case notAccepting
    /// The run cannot be stored, most often because the disk is full.
    case notStored(StoreError)
    /// Blobs with these digests do not exist or do not belong to the principal.
    case missingBlobs([String])
    /// The idempotency key was used before with a different body.
    case keyTaken
    /// The run of the idempotency key was deleted.
    case runDeleted(RunID)

    /// The word for the reason in metrics and logs, one of ``reasons``.
    package var reason: String {
        switch self {
        case .queueFull: "queue_full"
        case .tooManyWaiting: "too_many_waiting"
        case .notAccepting: "not_accepting"
        case .notStored: "not_stored"
        case .missingBlobs: "missing_blobs"
        case .keyTaken: "key_taken"
        case .runDeleted: "key_forgotten"
        }
    }

    /// All values of ``reason``.
    package static let reasons = [
        "queue_full", "too_many_waiting", "not_accepting", "not_stored", "missing_blobs", "key_taken", "key_forgotten",
    ]
}

/// The result of cancelling a run.
package enum CancelResult: Sendable, Hashable {
    /// The run was queued or running, and is being ended.
    case accepted(Run)
    /// The run was already finished.
    case finished(Run)
    /// The run does not exist.
    case unknown
}

/// The result of deleting a run.
package enum DeleteResult: Sendable, Hashable {
    /// The run and its output are deleted.
    case deleted
    /// The run is not finished.
    case unfinished
    /// The run does not exist.
    case unknown
}
