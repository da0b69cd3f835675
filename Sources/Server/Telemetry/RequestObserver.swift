package import CoreMetrics
internal import HTTPServer
internal import Identity
internal import Reactor
internal import RunModel
internal import Service
package import Telemetry

/// The destinations of a server's metrics and access log.
package struct RequestTelemetry: Sendable {
    /// The registry of metrics.
    package var metrics: any MetricsFactory = NOOPMetricsHandler.instance
    /// The function that renders the body of `GET /metrics`; `nil` if the server has no metrics.
    package var scrape: (@ReactorActor () -> [UInt8])?
    /// The access log; `nil` if requests are not logged.
    package var accessLog: AccessLog?
    /// True if commands get the trace of their request as `TRACEPARENT` and `TRACESTATE`.
    package var passesTrace = false

    /// Creates the telemetry of a server without metrics and without an access log.
    package init() {}
}

/// The observer that counts, identifies and logs requests.
@ReactorActor
final class RequestObserver {
    private let metrics: HTTPMetrics
    private let accessLog: AccessLog?
    private let scrape: (@ReactorActor () -> [UInt8])?
    private let passesTrace: Bool
    /// The function that returns the number of open connections.
    var openConnections: @ReactorActor () -> Int = { 0 }

    init(_ telemetry: RequestTelemetry) {
        metrics = HTTPMetrics(factory: telemetry.metrics)
        accessLog = telemetry.accessLog
        scrape = telemetry.scrape
        passesTrace = telemetry.passesTrace
    }

    /// Records the head of a request.
    func requestReceived(_ exchange: Exchange) {
        if let metadata = RequestMetadata.of(exchange.request) { exchange.metadata = metadata }
    }

    /// Counts the body of a request.
    func bodyReceived(_ exchange: Exchange) { metrics.bodyReceived(exchange) }

    /// Adds the request id to a response that is about to be sent.
    ///
    /// Prepared responses are shared and have no id. A client that needs one sends its own id.
    nonisolated static func addRequestID(_ stored: inout (any Sendable)?, _ response: inout Response) {
        let metadata = stored as? RequestMetadata ?? RequestMetadata(id: RequestID.next())
        stored = metadata
        response.headers.append(HeaderField("X-Request-Id", metadata.id))
    }

    /// Counts and logs a completed request.
    func requestCompleted(_ request: CompletedRequest) {
        metrics.requestCompleted(request)
        accessLog?.write(request)
    }

    /// Returns whether the response must contain the client's own request id.
    func hasClientID(_ exchange: Exchange) -> Bool { (exchange.metadata as? RequestMetadata)?.hasClientID ?? false }

    /// Records the principal of a request for the access log.
    func record(_ principal: Principal, of exchange: Exchange) {
        if !principal.name.isEmpty { updateMetadata(of: exchange) { $0.principal = principal.name } }
    }

    /// Records the run that a request concerns for the access log.
    func record(_ run: RunID, of exchange: Exchange) { updateMetadata(of: exchange) { $0.run = run } }

    private func updateMetadata(of exchange: Exchange, _ change: (inout RequestMetadata) -> Void) {
        guard accessLog != nil else { return }
        var metadata = exchange.metadata as? RequestMetadata ?? RequestMetadata(id: RequestID.next())
        change(&metadata)
        exchange.metadata = metadata
    }

    /// Makes a submission part of the trace of its request.
    func trace(_ submission: inout Submission, of exchange: Exchange) {
        guard let trace = (exchange.metadata as? RequestMetadata)?.trace else { return }
        submission.trace = trace
        guard passesTrace else { return }
        // An earlier run has the variables of its own trace.
        if submission.isRerun {
            submission.specification.environment["TRACEPARENT"] = nil
            submission.specification.environment["TRACESTATE"] = nil
        }
        submission.specification.trace = trace
    }

    /// Returns the response to `GET /metrics`.
    func metricsResponse() throws(Problem) -> Response {
        guard let scrape else { throw Problem(status: 404, detail: "This server has no metrics.") }
        metrics.publish(connections: openConnections())
        return Response(
            status: 200,
            headers: [HeaderField("Content-Type", "text/plain; version=0.0.4; charset=utf-8")],
            body: .bytes(scrape())
        )
    }
}

/// A log with one line per completed request.
///
/// A line never contains the query, which may hold secrets, nor headers or a body.
package struct AccessLog: Sendable {
    private let format: LogFormat
    private let output: LogOutput

    package init(_ format: LogFormat, to output: LogOutput) {
        self.format = format
        self.output = output
    }

    func write(_ request: CompletedRequest) {
        let metadata = request.metadata as? RequestMetadata
        var fields: [(name: String, value: LogLine.Value)] = [("request", .text(metadata?.id ?? RequestID.next()))]
        if let method = request.method { fields.append(("method", .text(method))) }
        if let target = request.target { fields.append(("path", .text(target))) }
        if let status = request.status { fields.append(("status", .integer(status))) }
        fields.append(("bytes", .integer(request.bodyBytes)))
        fields.append(("seconds", .seconds(request.duration)))
        fields.append(("client", .text(request.clientAddress)))
        if let run = metadata?.run { fields.append(("run", .text(run.description))) }
        if let principal = metadata?.principal, !principal.isEmpty { fields.append(("principal", .text(principal))) }
        if let trace = metadata?.trace { fields.append(("trace", .text(trace.traceID))) }
        output.write(LogLine(level: "info", "request", fields).bytes(format))
    }
}

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
    func bodyReceived(_ exchange: Exchange) {
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
