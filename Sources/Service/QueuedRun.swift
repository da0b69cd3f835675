internal import Reactor
internal import Runs

/// A run that waits for its turn.
struct QueuedRun {
    let id: RunID
    let principal: String
    let request: RunSpecification
    /// When it began to wait in this service.
    let since: MonotonicTime
    /// How long it had waited before this service was started.
    let before: Duration
    /// The trace that it was asked for in, for the log.
    var traceID: String?

    /// Memory that it takes while it waits, most of it its input.
    var bytes: Int {
        request.environment.reduce(request.standardInput.bytesInMemory) { $0 + $1.key.utf8.count + $1.value.utf8.count }
            + request.files.reduce(0) { $0 + $1.path.utf8.count + $1.content.bytesInMemory }
            + request.command.reduce(0) { $0 + $1.utf8.count }
    }
}
