internal import Execution
internal import Reactor
internal import RunModel
internal import Store
internal import System

/// A run that waits in the queue.
struct QueuedRun {
    let id: RunID
    let principal: String
    let request: RunSpecification
    /// The time at which this service queued the run.
    let since: MonotonicTime
    /// The time that the run had waited before this service started.
    let before: Duration
    /// The trace of the client's request, for the log.
    var traceID: String?

    /// The number of bytes of memory that the run takes in the queue, most of it input.
    var bytes: Int {
        request.environment.reduce(request.standardInput.bytesInMemory) { $0 + $1.key.utf8.count + $1.value.utf8.count }
            + request.files.reduce(0) { $0 + $1.bytesInMemory }
            + request.command.reduce(0) { $0 + $1.utf8.count }
    }
}

/// A run whose command is being started, is running or is being ended.
@ReactorActor
final class ActiveRun {
    /// The age after which a run's output is written to its file, where it survives the end of the service.
    ///
    /// Creating a file takes longer than a short run.
    private static let flushDelay = Duration.milliseconds(20)

    let principal: String
    /// The time that the run waited in the queue.
    let queued: Duration
    let traceID: String?
    var execution: RunExecution?
    /// The collection of the run's artifacts, which begins after the end of the command.
    var collection: ArtifactCollection?

    private let standardOutput: OutputRecorder
    private let standardError: OutputRecorder
    /// Called after output was recorded.
    var onOutput: (@ReactorActor () -> Void)?
    private var flushTimer: Timer?
    /// The order in which the recorded pieces of both streams were written.
    private(set) var order = StreamInterleaving()

    /// True if the order of the last output matters more than that of the first.
    private let keepsEnd: Bool

    init(_ run: QueuedRun, standardOutput: OutputRecorder, standardError: OutputRecorder) {
        keepsEnd = run.request.keepOutput != .head
        principal = run.principal
        traceID = run.traceID
        queued = run.before + MonotonicTime.now.since(run.since)
        self.standardOutput = standardOutput
        self.standardError = standardError
    }

    /// The errors that occurred while output was recorded.
    var failures: [StoreError] { [standardOutput, standardError].compactMap(\.failure) }

    /// Returns the recorder of one stream.
    func recorder(of stream: OutputStream) -> OutputRecorder {
        stream == .standardOutput ? standardOutput : standardError
    }

    func record(_ part: UnsafeRawBufferPointer, of stream: OutputStream) -> Backpressure {
        let recorder = recorder(of: stream)
        recorder.append(part)
        if recorder.failure == nil { order.append(part.count, of: stream, at: .now, keepsEnd: keepsEnd) }
        if recorder.isInMemory, flushTimer == nil {
            flushTimer = ReactorActor.schedule(at: .now.advanced(by: Self.flushDelay)) { [weak self] in self?.flush() }
        }
        onOutput?()
        return .more
    }

    /// True if a subscriber wants output beyond the limit.
    var isFollowed: Bool { onOutput != nil }

    /// Keeps output beyond the limit for the subscribers.
    func recordExcess(_ part: UnsafeRawBufferPointer, of stream: OutputStream, at offset: Int) {
        recorder(of: stream).appendExcess(part, at: offset)
        onOutput?()
    }

    private func flush() {
        flushTimer = nil
        standardOutput.flush()
        standardError.flush()
    }

    /// The origin of the first cancellation.
    private(set) var cancellation: Cancellation?

    /// Ends the command, or the collection of its artifacts, as soon as possible.
    func cancel(by origin: Cancellation) {
        cancellation = cancellation ?? origin
        execution?.cancel()
        collection?.cancel()
    }

    /// Releases the execution after its end.
    func end() {
        flushTimer?.cancel()
        // The execution and this object refer to each other until here.
        execution = nil
    }

    /// Copies the output recorded so far into a run.
    func copyOutput(to run: inout Run) {
        guard let execution else { return }
        run.standardOutput = standardOutput.captured(totalBytes: execution.totalBytes(.standardOutput))
        run.standardError = standardError.captured(totalBytes: execution.totalBytes(.standardError))
    }
}
