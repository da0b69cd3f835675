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

    /// Records the arrival of a request.
    func requestReceived(_ exchange: Exchange) {
        metrics.requestReceived(exchange)
        if let metadata = RequestMetadata.of(exchange.request) { exchange.metadata = metadata }
    }

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
        if passesTrace { submission.specification.trace = trace }
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
