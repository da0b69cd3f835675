internal import Execution
internal import Reactor
internal import Runs
internal import Store

/// A run whose command is being started, runs, or is being ended.
@Reactor
final class ActiveRun {
    /// Output of a run that lives longer than this is in its file: it outlives the service.
    ///
    /// A file takes longer to make than a
    /// short run to finish.
    private static let inMemory = Duration.milliseconds(20)

    let principal: String
    /// How long it waited for its turn.
    let queued: Duration
    let traceID: String?
    var execution: Execution?
    /// What it has left is being collected: its command has ended.
    var collection: ArtifactCollection?

    private let standardOutput: OutputRecorder
    private let standardError: OutputRecorder
    /// Called when it has written something that is kept.
    var onOutput: (@Reactor () -> Void)?
    private var flushTimer: Timer?
    /// In which order it has written what is kept.
    private(set) var order = OutputOrder()

    init(_ run: QueuedRun, standardOutput: OutputRecorder, standardError: OutputRecorder) {
        principal = run.principal
        traceID = run.traceID
        queued = run.before + MonotonicTime.now.since(run.since)
        self.standardOutput = standardOutput
        self.standardError = standardError
    }

    /// What went wrong while its output was being kept.
    var failures: [StoreError] { [standardOutput, standardError].compactMap(\.failure) }

    /// What keeps one of its streams.
    func recorder(of stream: OutputStream) -> OutputRecorder {
        stream == .standardOutput ? standardOutput : standardError
    }

    func keep(_ part: UnsafeRawBufferPointer, of stream: OutputStream) -> SinkAnswer {
        let recorder = recorder(of: stream)
        recorder.append(part)
        if recorder.failure == nil { order.append(part.count, of: stream, at: .now) }
        if recorder.isInMemory, flushTimer == nil {
            flushTimer = Reactor.schedule(at: .now.advanced(by: Self.inMemory)) { [weak self] in self?.flush() }
        }
        onOutput?()
        return .more
    }

    private func flush() {
        flushTimer = nil
        standardOutput.flush()
        standardError.flush()
    }

    /// Ends it as soon as may be.
    func cancel() {
        execution?.cancel()
        collection?.cancel()
    }

    /// Nothing more comes.
    func end() {
        flushTimer?.cancel()
        // They refer to each other until here.
        execution = nil
    }

    func showOutput(in run: inout Run) {
        guard let execution else { return }
        run.standardOutput = standardOutput.captured(totalBytes: execution.totalBytes(.standardOutput))
        run.standardError = standardError.captured(totalBytes: execution.totalBytes(.standardError))
    }
}
