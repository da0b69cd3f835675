internal import HTTPServer
internal import Identity
internal import Reactor
internal import RunModel

/// A request that was authenticated, and the reply to it.
struct AuthenticatedRequest {
    let principal: Principal
    /// The values of the path's parameters.
    let parameters: RouteParameters
    let reply: Reply

    // Computed, because every stored reference costs a retain and a release for each request.
    @ReactorActor var exchange: Exchange { reply.exchange }
    @ReactorActor var http: Request { reply.exchange.request }

    /// Returns the run in the path.
    ///
    /// - Throws: a 404 problem if the path contains no valid run id.
    func runID() throws(Problem) -> RunID {
        guard let id = parameters["id"].flatMap({ RunID($0) }) else { throw unknownRun }
        return id
    }

    /// The problem of a path whose run does not exist.
    var unknownRun: Problem { .unknownRun(parameters["id"] ?? "") }

    /// Starts an asynchronous handler and sends the content that it returns.
    @ReactorActor
    func handle(with handler: @escaping @ReactorActor (Self) async throws(Problem) -> Reply.Content) {
        reply.later { () async throws(Problem) in try await handler(self) }
    }

    /// Starts an asynchronous handler that sends the response itself.
    @ReactorActor
    func handle(with handler: @escaping @ReactorActor (Self) async throws(Problem) -> Void) {
        reply.perform { () async throws(Problem) in try await handler(self) }
    }
}

/// The response to one request, sent now, later or piece by piece.
///
/// A handler may call any function inside or outside a run of the HTTP server. The reply runs the server when that
/// is necessary to send the response.
@ReactorActor
struct Reply {
    /// The content of a response.
    enum Content {
        case response(Response)
        /// The status and headers of a response whose body is generated while it is sent.
        case stream(Response, ResponseStream)
    }

    let exchange: Exchange
    private let loop: ServerLoop

    init(to exchange: Exchange, _ loop: ServerLoop) { (self.exchange, self.loop) = (exchange, loop) }

    func send(_ response: Response) {
        exchange.respond(response)
        loop.run()
    }

    func send(_ response: PreparedResponse) {
        exchange.respond(response)
        loop.run()
    }

    func send(_ problem: Problem) { send(problem.response) }

    func send(_ content: Content) {
        switch content {
        case .response(let response): exchange.respond(response)
        case .stream(let head, let body): exchange.respond(head, streaming: body)
        }
        loop.run()
    }

    /// Sends the content that an asynchronous operation returns, or the problem that the operation throws.
    ///
    /// The operation starts in the next turn of the event loop, which costs a few microseconds. The requests of
    /// every run therefore use `send` whenever the run is in memory.
    func later(_ operation: @escaping @ReactorActor () async throws(Problem) -> Content) {
        perform { () async throws(Problem) in send(try await operation()) }
    }

    /// Starts an asynchronous operation that sends the response itself, and sends the problem if the operation
    /// throws one.
    func perform(_ operation: @escaping @ReactorActor () async throws(Problem) -> Void) {
        // `Task.immediate` does not fit: outside a job of the reactor such a task has no executor. Each completion
        // of the store would then take a detour over a thread of the global pool.
        Task { @ReactorActor in
            do throws(Problem) { try await operation() } catch { send(error) }
        }
    }
}
