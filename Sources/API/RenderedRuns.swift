internal import DequeModule
internal import HTTPServer
internal import Runs

/// The answers about finished runs that were asked for lately.
///
/// A finished run does not change, so neither does what is said of it, and clients that poll ask for the same one again
/// and again.
struct RenderedRuns {
    /// Memory for documents, and the largest one that is kept.
    private static let capacity = 4 << 20
    private static let largest = 64 << 10

    private var responses: [RunID: PreparedResponse] = [:]
    private var order: Deque<RunID> = []
    private var bytes = 0

    /// The answer about a run, if it is kept.
    subscript(id: RunID) -> PreparedResponse? { responses[id] }

    /// Keeps the answer about a finished run.
    mutating func keep(_ response: PreparedResponse, of run: Run) {
        guard run.state == .finished, response.bodyBytes <= Self.largest else { return }
        guard responses.updateValue(response, forKey: run.id) == nil else { return }
        order.append(run.id)
        bytes += response.bodyBytes
        while bytes > Self.capacity, let oldest = order.popFirst() {
            bytes -= responses.removeValue(forKey: oldest)?.bodyBytes ?? 0
        }
    }

    /// Forgets the answer about a run that is not known any more.
    mutating func remove(_ id: RunID) {
        guard let response = responses.removeValue(forKey: id) else { return }
        bytes -= response.bodyBytes
        order.removeAll { $0 == id }
    }
}
