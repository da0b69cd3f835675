/// A run, from its creation to long after its end.
///
/// A value: each change makes a new one.
public struct Run: Sendable, Hashable {
    /// How it ended, with what is only known then.
    public struct Result: Sendable, Hashable {
        /// How it ended.
        public let outcome: Outcome
        /// What it used; `nil` when it never started.
        public let usage: Usage?
        /// When it was over.
        public let finishedAt: Timestamp
        /// What was kept of its files.
        public let artifacts: CollectedArtifacts

        /// The end of a run.
        public init(
            outcome: Outcome,
            usage: Usage?,
            finishedAt: Timestamp,
            artifacts: CollectedArtifacts = .none
        ) {
            self.outcome = outcome
            self.usage = usage
            self.finishedAt = finishedAt
            self.artifacts = artifacts
        }
    }

    /// Its name.
    public let id: RunID
    /// What was asked for.
    public let specification: RunSpecification
    /// By what its limits are enforced.
    public let enforcement: Enforcement
    /// When it was accepted.
    public let createdAt: Timestamp
    /// When its command was started; `nil` before, and when it never was.
    public private(set) var startedAt: Timestamp?
    /// Where it is.
    public private(set) var state: RunState
    /// How it ended; `nil` until it is finished.
    public private(set) var result: Result?
    /// What it has written to descriptor 1 so far, as far as it is kept.
    public var standardOutput = CapturedOutput.empty
    /// What it has written to descriptor 2 so far, as far as it is kept.
    public var standardError = CapturedOutput.empty

    /// A new, queued run.
    public init(id: RunID, specification: RunSpecification, enforcement: Enforcement, createdAt: Timestamp) {
        self.id = id
        self.specification = specification
        self.enforcement = enforcement
        self.createdAt = createdAt
        state = .queued
    }

    /// A run as it was remembered.
    public init(
        id: RunID,
        specification: RunSpecification,
        enforcement: Enforcement,
        createdAt: Timestamp,
        startedAt: Timestamp?,
        state: RunState,
        result: Result?
    ) {
        self.id = id
        self.specification = specification
        self.enforcement = enforcement
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.state = state
        self.result = result
    }

    /// Its turn has come.
    public mutating func becomeRunning() {
        precondition(state == .queued, "a run leaves its queue once")
        state = .running
    }

    /// Its command was started.
    public mutating func commandStarted(at time: Timestamp) {
        precondition(state == .running && startedAt == nil, "a command starts once")
        startedAt = time
    }

    /// It is over.
    ///
    /// A run finishes once: the first outcome is the only one.
    public mutating func finish(_ result: Result) {
        precondition(state != .finished, "a run finishes once")
        state = .finished
        self.result = result
    }
}
