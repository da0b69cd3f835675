internal import HTTPServer
internal import Identity
internal import Reactor
internal import RunAPI
internal import Service

/// The dispatcher that checks each request, finds its endpoint, and passes it to the handler of that endpoint.
@ReactorActor
final class RequestDispatcher {
    private let router = Router(Endpoint.routes)
    private var policy: RequestPolicy
    /// The principals and their tokens.
    var authentication = Authentication()
    private let observer: RequestObserver
    private let loop: ServerLoop

    private let createRun: CreateRunHandler
    private let runs: RunsHandler
    private let output: OutputHandler
    private let events: EventsHandler
    private let artifacts: ArtifactsHandler
    private let blobs: BlobsHandler
    private let operations: OperationsHandler
    private let maximumBodyBytes: Int

    init(
        service: RunService,
        maxima: RequestLimits,
        capabilities: CapabilitiesDocument,
        policy: RequestPolicy,
        publicAddress: PublicAddress,
        observer: RequestObserver,
        heartbeat: Duration,
        maximumBodyBytes: Int,
        loop: ServerLoop
    ) {
        self.maximumBodyBytes = maximumBodyBytes
        (self.policy, self.observer, self.loop) = (policy, observer, loop)
        let responder = RunResponder(service, observer, publicAddress)
        createRun = CreateRunHandler(service, maxima, observer, responder)
        runs = RunsHandler(service, maxima, responder, publicAddress)
        output = OutputHandler(service: service, observer: observer, loop: loop)
        events = EventsHandler(service: service, observer: observer, loop: loop, heartbeat: heartbeat)
        artifacts = ArtifactsHandler(service: service, observer: observer)
        blobs = BlobsHandler(blobs: service.blobs, publicAddress: publicAddress, loop: loop)
        operations = OperationsHandler(service, observer, capabilities, publicAddress)
    }

    // MARK: Requests

    /// Handles a request whose body has arrived, or which has none.
    func handle(_ exchange: Exchange) {
        let reply = Reply(to: exchange, loop)
        do throws(Problem) {
            if let stored = exchange.acceptedHead as? StoredHead {
                exchange.acceptedHead = nil
                observer.bodyReceived(exchange)
                try dispatch(stored.head)
            } else if let head = try accept(exchange, reply) {
                try dispatch(head)
            }
        } catch {
            reply.send(error)
        }
    }

    /// Decides when the head of a request has arrived how its body is received.
    ///
    /// A request that its head rules out gets its response here, and the body is not read. The body of a run is kept in
    /// memory, that of a blob is written to disk, and every other body is dropped.
    func receiveBody(of exchange: Exchange) -> BodyDecision {
        let reply = Reply(to: exchange, loop)
        do throws(Problem) {
            // Without a head, the response has been sent.
            guard let head = try accept(exchange, reply) else { return .buffer }
            exchange.principal = head.request.principal.name
            exchange.acceptedHead = StoredHead(head)
            switch head.endpoint {
            case .createRun: return .buffer
            case .putBlob: return try blobs.beginUpload(head.request)
            default: return .stream(DiscardingSink(), maximumBytes: maximumBodyBytes)
            }
        } catch {
            reply.send(error)
            return .buffer
        }
    }

    /// Decides everything about a request that its head can decide.
    ///
    /// - Returns: the conclusions; `nil` if the request has its response already.
    /// - Throws: the response to a request that is refused.
    private func accept(_ exchange: Exchange, _ reply: Reply) throws(Problem) -> AcceptedHead? {
        // Only a wait for the end of a run takes longer than the store.
        exchange.respondsPromptly = true
        observer.requestReceived(exchange)
        let request = exchange.request
        let crossOrigin = try checkPolicy(exchange, request)
        switch router.match(request) {
        case .matched(let index, let parameters):
            let endpoint = router.values[index]
            let accepted = try authenticate(request, endpoint, parameters, reply)
            let preferences = try endpoint.createsRun ? createRun.accept(accepted, endpoint) : CreateRunPreferences()
            return AcceptedHead(endpoint: endpoint, request: accepted, preferences: preferences)
        case .methodNotAllowed(let allow):
            let allowed = HeaderField("Allow", allow.joined(separator: ", "))
            guard request.method == "OPTIONS" else {
                throw Problem(
                    status: 405,
                    detail: "Method \(request.method) is not allowed here. Allowed: \(allowed.value).",
                    headers: [allowed]
                )
            }
            let preflight = crossOrigin == nil ? [] : CrossOrigin.preflightHeaders(request, allow: allow)
            reply.send(Response(status: 204, headers: [allowed] + preflight))
            return nil
        case .notFound:
            if request.method == "OPTIONS", request.path == "*" {
                reply.send(Response(status: 204))
                return nil
            }
            _ = try authentication.principal(of: request)
            throw Problem(status: 404, detail: "No resource exists at \(request.path).")
        }
    }

    // MARK: Access

    /// Checks the host and the origin, and adds the CORS headers that let the requesting page read the response.
    ///
    /// The request is a parameter, because each read of `exchange.request` copies it.
    private func checkPolicy(_ exchange: Exchange, _ request: Request) throws(Problem) -> CrossOrigin? {
        if policy.variesByOrigin { exchange.headers.append(HeaderField("Vary", "Origin")) }
        let crossOrigin = try policy.check(request)
        if let crossOrigin { exchange.headers += crossOrigin.headers }
        return crossOrigin
    }

    private func authenticate(
        _ request: Request,
        _ endpoint: Endpoint,
        _ parameters: RouteParameters,
        _ reply: Reply
    ) throws(Problem) -> AuthenticatedRequest {
        let principal = try authentication.authorize(request, for: endpoint.access)
        observer.record(principal, of: reply.exchange)
        if let unknown = request.query.first(where: { !endpoint.queryNames.contains($0.name) }) {
            throw .unknownQueryParameter(unknown.name, allowed: endpoint.queryNames)
        }
        if endpoint.hasBody { try RequestPolicy.checkContentEncoding(request) }
        return AuthenticatedRequest(principal: principal, parameters: parameters, reply: reply)
    }

    // MARK: Endpoints

    private func dispatch(_ head: AcceptedHead) throws(Problem) {
        let request = head.request
        switch head.endpoint {
        case .createRun: try createRun.create(request, head.preferences)
        case .rerunRun: try createRun.rerun(request, head.preferences)
        case .listRuns: request.handle(with: runs.list)
        case .readRun: try runs.read(request)
        case .cancelRun: request.handle(with: runs.cancel)
        case .deleteRun: request.handle(with: runs.delete)
        case .readOutput(let stream): try output.read(request, stream)
        case .readEvents: request.handle(with: events.read)
        case .readArtifact: request.handle(with: artifacts.read)
        case .readArtifacts: request.handle(with: artifacts.readAll)
        case .putBlob: request.handle(with: blobs.put)
        case .readBlob: request.reply.send(try blobs.read(request))
        case .health: request.reply.send(operations.health(request))
        case .readiness: request.handle(with: operations.readiness)
        case .capabilities: request.reply.send(operations.capabilities(request))
        case .description: operations.describe(request)
        case .metrics: request.reply.send(try operations.metrics())
        }
    }
}

/// The conclusions from the head of a request that was accepted.
private struct AcceptedHead {
    let endpoint: Endpoint
    let request: AuthenticatedRequest
    /// The preferences of a request that creates a run.
    let preferences: CreateRunPreferences
}

/// The conclusions from the head of a request whose body is arriving.
private final class StoredHead {
    let head: AcceptedHead

    init(_ head: AcceptedHead) { self.head = head }
}
