internal import DequeModule
internal import Runs

/// The runs that are asked for most: all that are not finished, and of the others the last ones.
struct RunCache {
    private let keptRuns: Int
    private let keptMemory: Int
    private var runs: [RunID: StoredRun] = [:]
    private var finished: Deque<RunID> = []
    private var finishedMemory = 0

    /// - Parameters:
    ///   - keptRuns: how many finished runs.
    ///   - keptMemory: how many bytes they may take, their commands included.
    init(keptRuns: Int = 10_000, keptMemory: Int = 256 << 20) {
        self.keptRuns = keptRuns
        self.keptMemory = keptMemory
    }

    subscript(id: RunID) -> StoredRun? { runs[id] }

    func contains(_ id: RunID) -> Bool { runs.index(forKey: id) != nil }

    mutating func insert(_ run: StoredRun) {
        let id = run.run.id
        let before = runs.updateValue(run, forKey: id)
        guard run.run.state == .finished, before?.run.state != .finished else { return }
        finished.append(id)
        finishedMemory += Self.memory(run.run)
        // The newest one is always kept: somebody is about to ask for it.
        while finished.count > 1, finished.count > keptRuns || finishedMemory > keptMemory { dropOldest() }
    }

    mutating func remove(_ id: RunID) {
        guard let run = runs.removeValue(forKey: id), run.run.state == .finished else { return }
        finishedMemory -= Self.memory(run.run)
        if finished.first == id { finished.removeFirst() } else { finished.removeAll { $0 == id } }
    }

    private mutating func dropOldest() {
        guard let id = finished.popFirst(), let run = runs.removeValue(forKey: id) else { return }
        finishedMemory -= Self.memory(run.run)
    }

    private static func memory(_ run: Run) -> Int {
        [run.standardOutput, run.standardError].reduce(run.specification.command.reduce(0) { $0 + $1.utf8.count }) {
            if case .bytes(let bytes) = $1.content { $0 + bytes.count } else { $0 }
        }
    }
}
