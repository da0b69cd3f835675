internal import HTTPServer
internal import Reactor
internal import Runs
internal import Service

/// Turns requests into calls of the service, and what comes of them into answers.
@Reactor
final class APIHandler {
    /// A larger body is read away from the reactor's thread.
    private static let largeBody = 64 << 10

    private let service: RunService
    private let maxima: RequestMaxima
    private let capabilities: CapabilitiesDocument
    private var policy: RequestPolicy
    private let router = Router(Endpoint.routes)
    private var rendered = RenderedRuns()
    /// Called after an answer was given outside the server's own call.
    private let answered: @Reactor () -> Void

    init(
        service: RunService,
        maxima: RequestMaxima,
        capabilities: CapabilitiesDocument,
        policy: RequestPolicy,
        answered: @escaping @Reactor () -> Void
    ) {
        self.service = service
        self.maxima = maxima
        self.capabilities = capabilities
        self.policy = policy
        self.answered = answered
    }

    func handle(_ exchange: Exchange) {
        do throws(Problem) {
            try route(exchange)
        } catch {
            exchange.respond(error.response)
        }
    }

    private func route(_ exchange: Exchange) throws(Problem) {
        let request = exchange.request
        try policy.check(request)
        switch router.match(request) {
        case .matched(let endpoint, let parameters):
            if let stray = request.query.first(where: { !endpoint.queryNames.contains($0.name) }) {
                throw Problem(status: 400, detail: "The query's \"\(stray.name)\" is not known here.")
            }
            switch endpoint {
            case .createRun: try createRun(exchange, request)
            case .readRun: try readRun(exchange, request, parameters["id"])
            case .readOutput(let stream): try readOutput(exchange, parameters["id"], stream)
            case .capabilities: exchange.respond(Self.response(200, capabilities.render()))
            case .health: exchange.respond(Self.response(200, Array("{\"status\":\"ok\"}\n".utf8)))
            }
        case .methodNotAllowed(let allow):
            let allowed = HeaderField("Allow", allow.joined(separator: ", "))
            guard request.method == "OPTIONS" else {
                throw Problem(
                    status: 405,
                    detail: "\(request.method) is not possible here; \(allowed.value) are.",
                    headers: [allowed]
                )
            }
            exchange.respond(Response(status: 204, headers: [allowed]))
        case .notFound: throw Problem(status: 404, detail: "There is nothing at \(request.path).")
        }
    }

    // MARK: POST /runs

    private func createRun(_ exchange: Exchange, _ request: Request) throws(Problem) {
        try policy.checkContentType(request)
        if request.headers["Idempotency-Key"] != nil {
            throw Problem(status: 422, detail: "Idempotency-Key is not supported by this server yet.")
        }
        let wait = try WaitPreference(request, atMost: maxima.wait)
        if request.body.count <= Self.largeBody {
            submit(try RunRequest.decode(request.body, maxima: maxima), exchange, wait)
            return
        }
        let maxima = maxima
        Task { @Reactor in
            do throws(Problem) {
                let specification = try await Self.decode(request.body, maxima)
                submit(specification, exchange, wait)
            } catch {
                exchange.respond(error.response)
            }
            answered()
        }
    }

    @concurrent
    private nonisolated static func decode(
        _ body: [UInt8],
        _ maxima: RequestMaxima
    ) async throws(Problem) -> RunSpecification {
        try RunRequest.decode(body, maxima: maxima)
    }

    private func submit(_ specification: RunSpecification, _ exchange: Exchange, _ wait: WaitPreference?) {
        let run: Run
        do throws(SubmissionError) {
            run = try service.submit(specification)
        } catch {
            exchange.respond(Self.problem(error).response)
            return
        }
        answer(exchange, run, wait) { run in run.state == .finished && wait != nil ? 201 : 202 }
    }

    private static func problem(_ error: SubmissionError) -> Problem {
        let detail =
            switch error {
            case .queueFull(let waiting): "\(waiting) runs are waiting already. Try again later."
            case .notAccepting: "The server is being stopped."
            }
        return Problem(status: 503, detail: detail, headers: [HeaderField("Retry-After", "1")])
    }

    // MARK: GET /runs/{id}

    private func readRun(_ exchange: Exchange, _ request: Request, _ id: String?) throws(Problem) {
        let wait = try WaitPreference(request, atMost: maxima.wait)
        // What is kept has no header that tells of a preference.
        if wait?.headers.isEmpty ?? true, let id, let name = RunID(id), let response = rendered[name] {
            // Finished: there is nothing to wait for.
            if service.knows(name) { return exchange.respond(response) }
            rendered.remove(name)
        }
        answer(exchange, try find(id), wait) { _ in 200 }
    }

    private func readOutput(_ exchange: Exchange, _ id: String?, _ stream: OutputStream) throws(Problem) {
        let run = try find(id)
        let output = stream == .standardOutput ? run.standardOutput : run.standardError
        let body: ResponseBody
        switch output.content {
        case .bytes(let bytes): body = .bytes(bytes)
        case .file(let path, let count):
            do {
                body = .file(try OpenFile(path: path), offset: 0, count: count)
            } catch {
                throw Problem(status: 500, detail: "The output of this run cannot be read any more.")
            }
        }
        let headers = [
            HeaderField("Content-Type", "application/octet-stream"), HeaderField("X-Content-Type-Options", "nosniff"),
        ]
        exchange.respond(Response(status: 200, headers: headers, body: body))
    }

    private func find(_ id: String?) throws(Problem) -> Run {
        guard let id, let name = RunID(id), let run = service.run(name) else {
            throw Problem(status: 404, detail: "There is no run \(id ?? "") here, or not any more.")
        }
        return run
    }

    // MARK: Answers

    /// Answers with a run, when it is finished, the wait is over, or the client hangs up, whichever comes first.
    private func answer(
        _ exchange: Exchange,
        _ run: Run,
        _ wait: WaitPreference?,
        status: @escaping @Reactor (Run) -> Int
    ) {
        let id = run.id
        let answerNow: @Reactor (Run) -> Void = { [self] run in
            respond(exchange, run, status: status(run), wait?.headers ?? [])
        }
        guard let wait, wait.duration > .zero else { return answerNow(run) }
        let waiter = service.wait(for: id, atMost: wait.duration) { [self] finished in
            exchange.onDisconnect = nil
            answerNow(finished ?? service.run(id) ?? run)
            answered()
        }
        guard let waiter else { return answerNow(service.run(id) ?? run) }
        // The run goes on without its client. One that only closed its sending side still gets an answer.
        exchange.onDisconnect = { [self] in
            waiter.cancel()
            answerNow(service.run(id) ?? run)
        }
    }

    private func respond(_ exchange: Exchange, _ run: Run, status: Int, _ headers: [HeaderField]) {
        let headers = status == 200 ? headers : [HeaderField("Location", "/runs/\(run.id)")] + headers
        guard RunDocument.isLarge(run) else {
            let response = Self.response(status, RunDocument.render(run), headers)
            // Only an answer to a plain GET is asked for again and again.
            guard headers.isEmpty, run.state == .finished, let prepared = PreparedResponse(response) else {
                return exchange.respond(response)
            }
            rendered.keep(prepared, of: run)
            return exchange.respond(prepared)
        }
        Task { @Reactor in
            exchange.respond(Self.response(status, await Self.render(run), headers))
            answered()
        }
    }

    @concurrent
    private nonisolated static func render(_ run: Run) async -> [UInt8] { RunDocument.render(run) }

    private static func response(_ status: Int, _ json: [UInt8], _ headers: [HeaderField] = []) -> Response {
        Response(
            status: status,
            headers: [HeaderField("Content-Type", "application/json")] + headers,
            body: .bytes(json)
        )
    }
}
