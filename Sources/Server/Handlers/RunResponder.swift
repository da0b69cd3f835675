internal import DequeModule
internal import HTTPServer
internal import Identity
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Service

/// The sender of runs as JSON, now or when they have finished.
@ReactorActor
final class RunResponder {
    private let service: RunService
    private let observer: RequestObserver
    private let publicAddress: PublicAddress
    private var rendered = RenderedRuns()

    init(_ service: RunService, _ observer: RequestObserver, _ publicAddress: PublicAddress) {
        (self.service, self.observer, self.publicAddress) = (service, observer, publicAddress)
    }

    // MARK: Waiting

    /// Calls the completion when the run is finished, the wait is over or the client disconnects, whichever happens
    /// first.
    func waitForEnd(
        of run: Run,
        _ wait: WaitPreference?,
        _ request: AuthenticatedRequest,
        _ completion: @escaping @ReactorActor (Run) -> Void
    ) {
        guard let wait, wait.duration > .zero else { return completion(run) }
        let exchange = request.exchange
        let waiter = service.wait(for: run.id, atMost: wait.duration) { [service] finished in
            exchange.onDisconnect = nil
            exchange.respondsPromptly = true
            completion(finished ?? service.run(run.id) ?? run)
        }
        guard let waiter else { return completion(service.run(run.id) ?? run) }
        exchange.respondsPromptly = false
        // The run continues without its client. A client that only closed its sending side still gets a response.
        exchange.onDisconnect = { [service] in
            waiter.cancel()
            exchange.respondsPromptly = true
            completion(service.run(run.id) ?? run)
        }
    }

    // MARK: Sending

    /// Sends a run when its end, if it has one, is persistent, so that the client may rely on the end.
    func sendWhenPersisted(
        _ run: Run,
        status: Int,
        _ headers: [HeaderField] = [],
        isCached: Bool = false,
        unless condition: Request? = nil,
        to request: AuthenticatedRequest
    ) {
        service.whenPersisted(run) { [self] in
            send(run, status: status, headers, isCached: isCached, unless: condition, to: request)
        }
    }

    /// Sends a run.
    ///
    /// - Parameters:
    ///   - run: the run.
    ///   - status: the status of the response. Every status except 200 comes with `Location`.
    ///   - headers: additional headers.
    ///   - isCached: whether the run belongs to an earlier submission.
    ///   - condition: a request whose `If-None-Match` turns the response into a 304; `nil` if there is none.
    ///   - request: the request.
    func send(
        _ run: Run,
        status: Int,
        _ headers: [HeaderField] = [],
        isCached: Bool = false,
        unless condition: Request? = nil,
        to request: AuthenticatedRequest
    ) {
        observer.record(run.id, of: request.exchange)
        var headers = headers
        if status != 200 {
            headers.insert(HeaderField("Location", "\(publicAddress.base(of: request.exchange))/runs/\(run.id)"), at: 0)
        }
        if RunDocument.isLarge(run) {
            return request.reply.later { [headers] in
                .response(.json(status, await Self.render(run, isCached), headers, unless: condition))
            }
        }
        let body = RunDocument.render(run, isCached: isCached)
        let response = Response.json(status, body, headers, unless: condition)
        // Clients only repeat plain GET requests of finished runs.
        guard status == 200, headers.isEmpty, condition == nil, run.state == .finished, mayShare(request),
            let prepared = PreparedResponse(response)
        else { return request.reply.send(response) }
        rendered.insert(prepared, for: run)
        request.reply.send(prepared)
    }

    /// Renders a large run on another thread.
    @concurrent
    private nonisolated static func render(_ run: Run, _ isCached: Bool) async -> [UInt8] {
        RunDocument.render(run, isCached: isCached)
    }

    // MARK: Rendered responses

    /// Returns whether the response to a request needs no headers of its own and may therefore be shared.
    private func mayShare(_ request: AuthenticatedRequest) -> Bool {
        request.exchange.headers.isEmpty && !observer.hasClientID(request.exchange)
    }

    /// Returns the cached response with a finished run, if the principal may see the run.
    func rendered(_ id: RunID, for request: AuthenticatedRequest) -> PreparedResponse? {
        guard mayShare(request), let response = rendered[id] else { return nil }
        if service.contains(id, for: request.principal) { return response }
        if !service.contains(id, for: .anonymous) { rendered.remove(id) }
        return nil
    }

    /// Removes the cached response with a run that was deleted.
    func remove(_ id: RunID) { rendered.remove(id) }
}

extension Response {
    /// Creates a JSON response with an entity tag, or a 304 if the client already has that content.
    static func json(
        _ status: Int,
        _ json: [UInt8],
        _ headers: [HeaderField] = [],
        unless condition: Request? = nil
    ) -> Response {
        var headers = [HeaderField("Content-Type", "application/json")] + headers
        if status == 200 {
            let tag = EntityTag(of: json)
            headers.append(tag.header)
            if let condition, tag.isKnown(to: condition) { return Response(status: 304, headers: [tag.header]) }
        }
        return Response(status: status, headers: headers, body: .bytes(json))
    }
}

/// The recent responses with finished runs.
///
/// A finished run does not change, so neither does its response, and polling clients request the same run repeatedly.
struct RenderedRuns {
    /// The maximum number of bytes of all bodies.
    private static let capacity = 4 << 20
    /// The maximum number of bytes of one body.
    private static let maximumBytes = 64 << 10

    private var responses: [RunID: PreparedResponse] = [:]
    private var order: Deque<RunID> = []
    private var bytes = 0

    subscript(id: RunID) -> PreparedResponse? { responses[id] }

    /// Stores the response with a run if the run is finished and the response is small.
    mutating func insert(_ response: PreparedResponse, for run: Run) {
        guard run.state == .finished, response.bodyBytes <= Self.maximumBytes else { return }
        guard responses.updateValue(response, forKey: run.id) == nil else { return }
        order.append(run.id)
        bytes += response.bodyBytes
        while bytes > Self.capacity, let oldest = order.popFirst() {
            bytes -= responses.removeValue(forKey: oldest)?.bodyBytes ?? 0
        }
    }

    mutating func remove(_ id: RunID) {
        guard let response = responses.removeValue(forKey: id) else { return }
        bytes -= response.bodyBytes
        order.removeAll { $0 == id }
    }
}
