internal import HTTPServer
internal import Identity
internal import Reactor
internal import Runs
internal import Service

/// Turns requests into calls of the service, and what comes of them into answers.
@Reactor
final class APIHandler {
    let service: RunService
    let maxima: RequestMaxima
    private let capabilities: CapabilitiesDocument
    private(set) var policy: RequestPolicy
    /// Who there is.
    var authentication = Authentication()
    private let router = Router(Endpoint.routes)
    var rendered = RenderedRuns()
    /// Made for the first who asks: most servers are never asked.
    private lazy var description = PreparedDocument(OpenAPIDocument(capabilities).render())
    let observer: RequestObserver
    /// Called after an answer was given outside the server's own call.
    let answered: @Reactor () -> Void
    /// Called after a stream was woken, perhaps with many others: what they have is sent soon.
    let pumpSoon: @Reactor () -> Void
    /// After how long without an event a stream of events says something all the same.
    let heartbeat: Duration

    init(
        service: RunService,
        maxima: RequestMaxima,
        capabilities: CapabilitiesDocument,
        policy: RequestPolicy,
        observer: RequestObserver,
        heartbeat: Duration,
        answered: @escaping @Reactor () -> Void,
        pumpSoon: @escaping @Reactor () -> Void
    ) {
        self.service = service
        self.maxima = maxima
        self.capabilities = capabilities
        self.policy = policy
        self.observer = observer
        self.heartbeat = heartbeat
        self.answered = answered
        self.pumpSoon = pumpSoon
    }

    func handle(_ exchange: Exchange) {
        // All but waiting for a run's end takes no longer than the store does.
        exchange.answersSoon = true
        observer.received(exchange)
        do throws(Problem) {
            try route(exchange)
        } catch {
            exchange.respond(error.response)
        }
    }

    /// Where a request leads.
    func match(_ request: Request) -> RouteMatch<Endpoint> { router.match(request) }

    /// Refuses what is not for this server, and says so in a way that the page that has sent it may read.
    private func checkPolicy(_ exchange: Exchange) throws(Problem) -> CrossOrigin? {
        if policy.variesByOrigin { exchange.headers.append(HeaderField("Vary", "Origin")) }
        let crossOrigin = try policy.check(exchange.request)
        if let crossOrigin { exchange.headers += crossOrigin.headers }
        return crossOrigin
    }

    /// Lets a request in whose body has not come yet.
    func admit(_ exchange: Exchange, to endpoint: Endpoint, _ parameters: RouteParameters) throws(Problem) -> Call {
        _ = try checkPolicy(exchange)
        return try call(exchange, endpoint, parameters)
    }

    private func call(
        _ exchange: Exchange,
        _ endpoint: Endpoint,
        _ parameters: RouteParameters
    ) throws(Problem) -> Call {
        let principal = try admit(exchange.request, to: endpoint)
        observer.note(principal, of: exchange)
        if let stray = exchange.request.query.first(where: { !endpoint.queryNames.contains($0.name) }) {
            throw Problem(status: 400, detail: "The query's \"\(stray.name)\" is not known here.")
        }
        return Call(exchange: exchange, principal: principal, parameters: parameters)
    }

    private func route(_ exchange: Exchange) throws(Problem) {
        let request = exchange.request
        let crossOrigin = try checkPolicy(exchange)
        switch router.match(request) {
        case .matched(let endpoint, let parameters):
            try answer(try call(exchange, endpoint, parameters), endpoint)
        case .methodNotAllowed(let allow):
            let allowed = HeaderField("Allow", allow.joined(separator: ", "))
            guard request.method == "OPTIONS" else {
                throw Problem(
                    status: 405,
                    detail: "\(request.method) is not possible here; \(allowed.value) are.",
                    headers: [allowed]
                )
            }
            let preflight = crossOrigin == nil ? [] : CrossOrigin.preflightHeaders(request, allow: allow)
            exchange.respond(Response(status: 204, headers: [allowed] + preflight))
        case .notFound:
            if request.method == "OPTIONS", request.path == "*" { return exchange.respond(Response(status: 204)) }
            _ = try authentication.principal(of: request)
            throw Problem(status: 404, detail: "There is nothing at \(request.path).")
        }
    }

    /// Finds out who asks, and whether that is somebody who may.
    private func admit(_ request: Request, to endpoint: Endpoint) throws(Problem) -> Principal {
        switch endpoint.access {
        case .anybody: return .everybody
        case .anybodyKnown: return try authentication.principal(of: request)
        case .role(let role):
            let principal = try authentication.principal(of: request)
            try Authentication.require(role, of: principal)
            return principal
        case .readerOrRunner:
            let principal = try authentication.principal(of: request)
            if !principal.may(.run) { try Authentication.require(.read, of: principal) }
            return principal
        }
    }

    private func answer(_ call: Call, _ endpoint: Endpoint) throws(Problem) {
        switch endpoint {
        case .createRun: try createRun(call)
        case .listRuns: try listRuns(call)
        case .readRun: try readRun(call)
        case .cancelRun: try cancelRun(call)
        case .deleteRun: try deleteRun(call)
        case .readOutput(let stream): try readOutput(call, stream)
        case .readEvents: try readEvents(call)
        case .readArtifact: try readArtifact(call)
        case .readArtifacts: try readArtifacts(call)
        case .putBlob: try putBlob(call)
        case .readBlob: try readBlob(call)
        case .readiness: checkReadiness(call.exchange)
        case .metrics: call.exchange.respond(try observer.metricsResponse())
        case .capabilities: call.exchange.respond(Self.response(200, capabilities.render(), unless: call.request))
        case .description: description.answer(call.exchange)
        case .health: call.exchange.respond(Self.response(200, Self.ok, unless: call.request))
        }
    }

    // MARK: GET /readyz

    private func checkReadiness(_ exchange: Exchange) {
        service.checkReadiness { [self] faults in
            let ready = Self.response(200, Self.ok, unless: exchange.request)
            exchange.respond(Problem(faults)?.response ?? ready)
            answered()
        }
    }

    // MARK: Answers

    private static let ok = Array("{\"status\":\"ok\"}\n".utf8)

    /// Answers with a run, when it is finished, the wait is over, or the client hangs up, whichever comes first.
    func answer(
        _ exchange: Exchange,
        _ run: Run,
        _ wait: WaitPreference?,
        _ answerNow: @escaping @Reactor (Run) -> Void
    ) {
        let id = run.id
        guard let wait, wait.duration > .zero else { return answerNow(run) }
        let waiter = service.wait(for: id, atMost: wait.duration) { [self] finished in
            exchange.onDisconnect = nil
            exchange.answersSoon = true
            answerNow(finished ?? service.run(id) ?? run)
            answered()
        }
        guard let waiter else { return answerNow(service.run(id) ?? run) }
        exchange.answersSoon = false
        // The run goes on without its client. One that only closed its sending side still gets an answer.
        exchange.onDisconnect = { [self] in
            waiter.cancel()
            exchange.answersSoon = true
            answerNow(service.run(id) ?? run)
        }
    }

    /// Answers with a run once its end, if it has one, is remembered: a client that has been told of it may rely on it.
    func respondSettled(
        _ exchange: Exchange,
        _ run: Run,
        status: Int,
        _ headers: [HeaderField],
        unless condition: Request? = nil
    ) {
        service.settle(run) { [self] in
            respond(exchange, run, status: status, headers, unless: condition)
            answered()
        }
    }

    func respond(
        _ exchange: Exchange,
        _ run: Run,
        status: Int,
        _ headers: [HeaderField],
        isCached: Bool = false,
        unless condition: Request? = nil
    ) {
        observer.note(run.id, of: exchange)
        let headers = status == 200 ? headers : [HeaderField("Location", "/runs/\(run.id)")] + headers
        guard RunDocument.isLarge(run) else {
            let response = Self.response(
                status,
                RunDocument.render(run, isCached: isCached),
                headers,
                unless: condition
            )
            // Only an answer to a plain GET is asked for again and again.
            guard headers.isEmpty, exchange.headers.isEmpty, !observer.isNamed(exchange), status == 200,
                condition == nil, run.state == .finished,
                let prepared = PreparedResponse(response)
            else { return exchange.respond(response) }
            rendered.keep(prepared, of: run)
            return exchange.respond(prepared)
        }
        Task { @Reactor in
            exchange.respond(Self.response(status, await Self.render(run, isCached), headers, unless: condition))
            answered()
        }
    }

    @concurrent
    private nonisolated static func render(_ run: Run, _ isCached: Bool) async -> [UInt8] {
        RunDocument.render(run, isCached: isCached)
    }

    /// Whoever knows this very answer already (`condition`) is told just that.
    static func response(
        _ status: Int,
        _ json: [UInt8],
        _ headers: [HeaderField] = [],
        unless condition: Request? = nil
    ) -> Response {
        var headers = [HeaderField("Content-Type", "application/json")] + headers
        if status == 200 {
            let tag = EntityTag(of: json)
            headers.append(HeaderField("ETag", tag.text))
            if let condition, tag.isKnown(to: condition) {
                return Response(status: 304, headers: [headers[headers.count - 1]])
            }
        }
        return Response(status: status, headers: headers, body: .bytes(json))
    }
}
