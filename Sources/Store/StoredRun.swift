internal import DequeModule
package import RunModel

/// A run in the store.
package struct StoredRun: Sendable, Hashable {
    /// The run.
    package var run: Run
    /// The name of the principal that owns the run.
    package var principal: String
    /// The interleaving of both output streams, as far as it is known.
    package var interleaving: StreamInterleaving

    /// Creates a stored run.
    package init(run: Run, principal: String, interleaving: StreamInterleaving = StreamInterleaving()) {
        self.run = run
        self.principal = principal
        self.interleaving = interleaving
    }
}

/// The runs in memory: every unfinished run, and the most recently finished runs up to two limits.
struct RunCache {
    private let maximumFinished: Int
    private let maximumMemory: Int
    private var runs: [RunID: StoredRun] = [:]
    private var finished: Deque<RunID> = []
    private var finishedMemory = 0

    /// Creates an empty cache.
    ///
    /// - Parameters:
    ///   - maximumFinished: the maximum number of finished runs.
    ///   - maximumMemory: the maximum number of bytes of their output and commands.
    init(maximumFinished: Int = 10_000, maximumMemory: Int = 256 << 20) {
        self.maximumFinished = maximumFinished
        self.maximumMemory = maximumMemory
    }

    subscript(id: RunID) -> StoredRun? { runs[id] }

    func contains(_ id: RunID) -> Bool { runs.index(forKey: id) != nil }

    mutating func insert(_ run: StoredRun) {
        let id = run.run.id
        let previous = runs.updateValue(run, forKey: id)
        guard run.run.state == .finished, previous?.run.state != .finished else { return }
        finished.append(id)
        finishedMemory += Self.memory(run.run)
        // The newest finished run always stays, because its client is about to read it.
        while finished.count > 1, finished.count > maximumFinished || finishedMemory > maximumMemory { removeOldest() }
    }

    mutating func remove(_ id: RunID) {
        guard let run = runs.removeValue(forKey: id), run.run.state == .finished else { return }
        finishedMemory -= Self.memory(run.run)
        if finished.first == id { finished.removeFirst() } else { finished.removeAll { $0 == id } }
    }

    private mutating func removeOldest() {
        guard let id = finished.popFirst(), let run = runs.removeValue(forKey: id) else { return }
        finishedMemory -= Self.memory(run.run)
    }

    private static func memory(_ run: Run) -> Int {
        [run.standardOutput, run.standardError].reduce(run.specification.command.reduce(0) { $0 + $1.utf8.count }) {
            if case .bytes(let bytes) = $1.content { $0 + bytes.count } else { $0 }
        }
    }
}
