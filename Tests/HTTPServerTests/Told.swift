import HTTPServer
import Synchronization

/// What a server has told of its requests, in the order in which they were over.
final class Told: Sendable {
    private let requests = Mutex<[CompletedRequest]>([])

    var all: [CompletedRequest] { requests.withLock { $0 } }

    func add(_ request: CompletedRequest) { requests.withLock { $0.append(request) } }
}
