internal import DequeModule
internal import Glibc
public import Runs

/// Remembers runs for as long as the service lives, and of the finished ones the last so many.
public final class MemoryRunStore: RunStore {
    private let directory: DataDirectory
    private let keptRuns: Int
    private let keptBytes: Int
    private let keptMemory: Int
    private var runs: [RunID: Run] = [:]
    private var finished: Deque<RunID> = []
    private var finishedBytes = 0
    private var finishedMemory = 0

    /// An empty store.
    ///
    /// - Parameters:
    ///   - directory: where output goes that is too large for memory.
    ///   - keptRuns: how many finished runs are remembered.
    ///   - keptBytes: how much output of finished runs is kept.
    ///   - keptMemory: how much memory finished runs may take, their commands included.
    public init(
        _ directory: DataDirectory,
        keptRuns: Int = 10_000,
        keptBytes: Int = 4 << 30,
        keptMemory: Int = 256 << 20
    ) {
        self.keptMemory = keptMemory
        self.directory = directory
        self.keptRuns = keptRuns
        self.keptBytes = keptBytes
    }

    /// Remembers a new run.
    public func insert(_ run: Run) {
        runs[run.id] = run
    }

    /// Replaces what is known of a run.
    ///
    /// When it is finished, the oldest finished ones may be forgotten.
    public func update(_ run: Run) {
        let before = runs.updateValue(run, forKey: run.id)
        guard run.state == .finished, before?.state != .finished else { return }
        finished.append(run.id)
        finishedBytes += outputBytes(run)
        finishedMemory += memory(run)
        while isTooMuch { forgetOldest() }
    }

    /// The newest one is always kept: somebody is about to ask for it.
    private var isTooMuch: Bool {
        guard finished.count > 1 else { return false }
        return finished.count > keptRuns || finishedBytes > keptBytes || finishedMemory > keptMemory
    }

    /// What is known of a run.
    public func run(_ id: RunID) -> Run? { runs[id] }

    /// Whether there is a run of that name.
    public func contains(_ id: RunID) -> Bool { runs.index(forKey: id) != nil }

    /// Where the output of a run goes.
    public func recorder(for id: RunID, _ stream: OutputStream) -> OutputRecorder {
        OutputRecorder(path: "\(directory.outputPath)/\(id).\(stream.rawValue)")
    }

    /// Removes the files.
    public func close() {
        runs = [:]
        finished = []
        directory.close()
    }

    private func forgetOldest() {
        guard let id = finished.popFirst(), let run = runs.removeValue(forKey: id) else { return }
        finishedBytes -= outputBytes(run)
        finishedMemory -= memory(run)
        for output in outputs(run) {
            if case .file(let path, _) = output.content { unlink(path) }
        }
    }

    private func outputBytes(_ run: Run) -> Int { outputs(run).reduce(0) { $0 + $1.keptBytes } }

    private func memory(_ run: Run) -> Int {
        let command = run.specification.command.reduce(0) { $0 + $1.utf8.count }
        return outputs(run).reduce(command) { sum, output in
            if case .bytes(let bytes) = output.content { sum + bytes.count } else { sum }
        }
    }

    private func outputs(_ run: Run) -> [CapturedOutput] { [run.standardOutput, run.standardError] }
}
