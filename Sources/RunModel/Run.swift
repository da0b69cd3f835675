/// A run from its creation until long after its end.
///
/// A value type: a copy keeps the state that it was copied with.
package struct Run: Sendable, Hashable {
    /// The outcome of a run and the details that are known only at its end.
    package struct Result: Sendable, Hashable {
        /// The outcome.
        package let outcome: Outcome
        /// The resources that the run used; `nil` when its command never started.
        package let usage: Usage?
        /// The time at which the run finished.
        package let finishedAt: Timestamp
        /// The files of the run that were kept, and those that were not.
        package let artifacts: CollectedArtifacts
        /// The origin of the cancellation of a run that was cancelled; `nil` if it is not known.
        package let cancellation: Cancellation?

        package init(
            outcome: Outcome,
            usage: Usage?,
            finishedAt: Timestamp,
            artifacts: CollectedArtifacts = .none,
            cancellation: Cancellation? = nil
        ) {
            self.outcome = outcome
            self.cancellation = cancellation
            self.usage = usage
            self.finishedAt = finishedAt
            self.artifacts = artifacts
        }
    }

    /// The name of the run.
    package let id: RunID
    /// The request: the command and its limits.
    package let specification: RunSpecification
    /// The name of the principal that owns the run; empty on a server without principals.
    package var principal = ""
    /// The mechanisms that enforce the limits of this run.
    package let enforcement: Enforcement
    /// The time at which the run was accepted.
    package let createdAt: Timestamp
    /// The time at which the command was started; `nil` before, and when it never started.
    package private(set) var startedAt: Timestamp?
    /// The current state.
    package private(set) var state: RunState
    /// The result; `nil` until the run is finished.
    package private(set) var result: Result?
    /// The kept part of the bytes that the command has written to descriptor 1 so far.
    package var standardOutput = CapturedOutput.empty
    /// The kept part of the bytes that the command has written to descriptor 2 so far.
    package var standardError = CapturedOutput.empty

    /// Creates a new, queued run.
    package init(id: RunID, specification: RunSpecification, enforcement: Enforcement, createdAt: Timestamp) {
        self.id = id
        self.specification = specification
        self.enforcement = enforcement
        self.createdAt = createdAt
        state = .queued
    }

    /// Restores a run in any state, as the store recorded it.
    package init(
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

    /// Records the start of the command, with which the run is `running`.
    package mutating func commandStarted(at time: Timestamp) {
        precondition(state == .queued && startedAt == nil, "a command may start only once")
        state = .running
        startedAt = time
    }

    /// Finishes the run.
    ///
    /// A run finishes once: the first outcome is the only one.
    package mutating func finish(_ result: Result) {
        precondition(state != .finished, "a run may finish only once")
        state = .finished
        self.result = result
    }
}

/// The origin of a cancellation.
package enum Cancellation: Sendable, Hashable {
    /// A client with this principal, whose name is empty on a server without principals.
    case client(principal: String)
    /// The server drained before it stopped, and the run took longer than the time for that.
    case drain
    /// The server stopped without a drain.
    case shutdown

    /// The cancellation as the `error` of a run.
    package var failure: Failure {
        let detail =
            switch self {
            case .client(let principal): principal.isEmpty ? "a client cancelled it" : "\(principal) cancelled it"
            case .drain: "the server stopped, and the run was not finished after --drain-seconds"
            case .shutdown: "the server stopped"
            }
        return Failure(step: "cancel", errno: "ECANCELED", detail: detail)
    }
}

/// The state of a run.
///
/// No other states will be added: a client polls until `finished`.
package enum RunState: String, Sendable, Hashable, CaseIterable {
    /// The run waits for its turn, or its slot is being set up.
    case queued
    /// The command is running or being ended, so that `startedAt` is known.
    case running
    /// The run has an outcome.
    case finished
}

/// The kinds of memory that a run's control group was still charged for when all its processes had ended.
package struct MemoryAtEnd: Sendable, Hashable {
    /// The page cache of files on disks that the run was the first to read or write, in bytes.
    package let cacheBytes: Int
    /// The run's files in memory and its shared memory, in bytes.
    package let sharedBytes: Int
    /// The kernel's own data for the run, in bytes.
    package let kernelBytes: Int

    package init(cacheBytes: Int, sharedBytes: Int, kernelBytes: Int) {
        self.cacheBytes = cacheBytes
        self.sharedBytes = sharedBytes
        self.kernelBytes = kernelBytes
    }
}

/// The resources that a run used.
package struct Usage: Sendable, Hashable {
    /// The time from the command's exec to its end, by CLOCK_MONOTONIC.
    package let wall: Duration
    /// The processor time of all processes in user mode; `nil` when the kernel's record was lost.
    package let user: Duration?
    /// The processor time of all processes in the kernel; `nil` when the kernel's record was lost.
    package let system: Duration?
    /// The peak memory in bytes.
    ///
    /// With a control group this is the most that the group was charged for at any time. That includes the slot's own
    /// process (some 200 KiB) and the run's files. Without a control group it is the largest resident set of one
    /// process (getrusage(2), ru_maxrss).
    package let peakMemoryBytes: Int?
    /// The largest resident set of one process, in bytes (getrusage(2), ru_maxrss).
    ///
    /// The slot's own process, some 700 KiB, is the least. `nil` in runs of versions that did not record it.
    package var maxResidentBytes: Int?
    /// The memory that was left at the run's end; `nil` without a control group of version 2.
    package var memoryAtEnd: MemoryAtEnd?
    /// The time from acceptance until the run left the queue; `nil` where there is no queue.
    package var queued: Duration?

    package init(
        wall: Duration,
        user: Duration?,
        system: Duration?,
        peakMemoryBytes: Int?,
        maxResidentBytes: Int? = nil,
        memoryAtEnd: MemoryAtEnd? = nil,
        queued: Duration? = nil
    ) {
        self.memoryAtEnd = memoryAtEnd
        self.queued = queued
        self.wall = wall
        self.user = user
        self.system = system
        self.peakMemoryBytes = peakMemoryBytes
        self.maxResidentBytes = maxResidentBytes
    }
}
