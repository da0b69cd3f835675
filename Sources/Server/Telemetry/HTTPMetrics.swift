internal import CoreMetrics
internal import HTTPServer
internal import Reactor

/// The metrics of HTTP requests.
///
/// Labels are methods that this program knows and statuses that it sends. A client cannot create a label value.
@ReactorActor
final class HTTPMetrics {
    private static let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "other"]
    private static let codes = 200..<600

    private let factory: any MetricsFactory
    private let duration: CoreMetrics.Timer
    private let requestBytes: Counter
    private let responseBytes: Counter
    private let connections: Meter
    /// The counters by method and status, created at their first use.
    private var requests: [Counter?]
    /// The last used counter: most requests have the method and status of the request before.
    private var last: (method: String?, status: Int?, counter: Counter)?

    init(factory: any MetricsFactory) {
        self.factory = factory
        duration = CoreMetrics.Timer(label: "sandglass_http_request_duration_seconds", factory: factory)
        requestBytes = Counter(label: "sandglass_http_request_bytes_total", factory: factory)
        responseBytes = Counter(label: "sandglass_http_response_bytes_total", factory: factory)
        connections = Meter(label: "sandglass_http_connections", factory: factory)
        requests = Array(repeating: nil, count: Self.methods.count * (Self.codes.count + 1))
    }

    /// Counts the body of a request that has reached the handler.
    func requestReceived(_ exchange: Exchange) {
        let count = exchange.request.body.count + exchange.streamedBytes
        if count > 0 { requestBytes.increment(by: count) }
    }

    /// Counts a completed request.
    func requestCompleted(_ request: CompletedRequest) {
        if let last, last.status == request.status, last.method == request.method {
            last.counter.increment()
        } else {
            let counter = counter(request.method, request.status)
            last = (request.method, request.status, counter)
            counter.increment()
        }
        responseBytes.increment(by: request.bodyBytes)
        duration.recordNanoseconds(request.nanoseconds)
    }

    /// Sets the gauge of open connections.
    func publish(connections count: Int) { connections.set(count) }

    private func counter(_ method: String?, _ status: Int?) -> Counter {
        let row = Self.methods.firstIndex { $0 == method } ?? Self.methods.count - 1
        // The last column is for requests without a response because the client disconnected.
        let code = status.flatMap { Self.codes.contains($0) ? $0 : nil }
        let index = row * (Self.codes.count + 1) + (code.map { $0 - Self.codes.lowerBound } ?? Self.codes.count)
        if let counter = requests[index] { return counter }
        let labels = [("method", Self.methods[row]), ("code", code.map { String($0) } ?? "none")]
        let counter = Counter(label: "sandglass_http_requests_total", dimensions: labels, factory: factory)
        requests[index] = counter
        return counter
    }
}
