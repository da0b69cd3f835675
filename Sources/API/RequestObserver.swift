internal import HTTPServer
internal import Identity
internal import Reactor
internal import Runs
internal import Service

/// Counts requests, names them, and writes them down.
@Reactor
final class RequestObserver {
    private let metrics: HTTPMetrics
    private let accessLog: AccessLog?
    private let scrape: (@Reactor () -> [UInt8])?
    private let passesTrace: Bool
    /// How many connections are open.
    var openConnections: @Reactor () -> Int = { 0 }

    init(_ observation: Observation) {
        metrics = HTTPMetrics(factory: observation.metrics)
        accessLog = observation.accessLog
        scrape = observation.scrape
        passesTrace = observation.passesTrace
    }

    /// A request has come.
    func received(_ exchange: Exchange) {
        metrics.received(exchange)
        if let note = RequestNote.of(exchange.request) { exchange.note = note }
    }

    /// An answer is about to leave.
    ///
    /// Answers that were made before have no name of their own: whoever wants one sends it.
    nonisolated static func name(_ kept: inout (any Sendable)?, _ response: inout Response) {
        let note = kept as? RequestNote ?? RequestNote(id: RequestName.next())
        kept = note
        response.headers.append(HeaderField("X-Request-Id", note.id))
    }

    /// A request is over.
    func completed(_ request: CompletedRequest) {
        metrics.completed(request)
        accessLog?.write(request)
    }

    /// A request is this principal's.
    func note(_ principal: Principal, of exchange: Exchange) {
        guard accessLog != nil, !principal.name.isEmpty else { return }
        var note = exchange.note as? RequestNote ?? RequestNote(id: RequestName.next())
        note.principal = principal.name
        exchange.note = note
    }

    /// Whether an answer has to say by what name the client called its request.
    func isNamed(_ exchange: Exchange) -> Bool { (exchange.note as? RequestNote)?.isClients ?? false }

    /// A request is about this run.
    func note(_ run: RunID, of exchange: Exchange) {
        guard accessLog != nil else { return }
        var note = exchange.note as? RequestNote ?? RequestNote(id: RequestName.next())
        note.run = run
        exchange.note = note
    }

    /// Has a run belong to the trace of its request.
    func trace(_ submission: inout Submission, of exchange: Exchange) {
        guard let trace = (exchange.note as? RequestNote)?.trace else { return }
        submission.trace = trace
        if passesTrace { submission.specification.trace = trace }
    }

    /// Answers `GET /metrics`.
    func metricsResponse() throws(Problem) -> Response {
        guard let scrape else { throw Problem(status: 404, detail: "This server is not watched.") }
        metrics.publish(connections: openConnections())
        return Response(
            status: 200,
            headers: [HeaderField("Content-Type", "text/plain; version=0.0.4; charset=utf-8")],
            body: .bytes(scrape())
        )
    }
}
