internal import Digests
internal import HTTPServer
internal import Reactor
internal import Runs
internal import Service
internal import Store

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
    private let observer: RequestObserver
    /// Called after an answer was given outside the server's own call.
    private let answered: @Reactor () -> Void

    init(
        service: RunService,
        maxima: RequestMaxima,
        capabilities: CapabilitiesDocument,
        policy: RequestPolicy,
        observer: RequestObserver,
        answered: @escaping @Reactor () -> Void
    ) {
        self.service = service
        self.maxima = maxima
        self.capabilities = capabilities
        self.policy = policy
        self.observer = observer
        self.answered = answered
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
            case .listRuns: try listRuns(exchange, request)
            case .readRun: try readRun(exchange, request, parameters["id"])
            case .cancelRun: try cancelRun(exchange, parameters["id"])
            case .deleteRun: try deleteRun(exchange, parameters["id"])
            case .readOutput(let stream): try readOutput(exchange, parameters["id"], stream)
            case .readiness: checkReadiness(exchange)
            case .metrics: exchange.respond(try observer.metricsResponse())
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
        let key = try IdempotencyKeyField.read(request)
        let wait = try WaitPreference(request, atMost: maxima.wait)
        if request.body.count <= Self.largeBody {
            submit(try Self.read(request.body, key, maxima), exchange, wait)
            return
        }
        let maxima = maxima
        Task { @Reactor in
            do throws(Problem) {
                let submission = try await Self.readLarge(request.body, key, maxima)
                submit(submission, exchange, wait)
            } catch {
                exchange.respond(error.response)
            }
            answered()
        }
    }

    private nonisolated static func read(
        _ body: [UInt8],
        _ key: String?,
        _ maxima: RequestMaxima
    ) throws(Problem) -> Submission {
        let order = try RunRequest.decode(body, maxima: maxima)
        return Submission(
            order.specification,
            key: key.map { IdempotencyKey($0, body: SHA256Digest(of: body)) },
            cacheDigest: order.usesCache ? order.specification.digest : nil
        )
    }

    @concurrent
    private nonisolated static func readLarge(
        _ body: [UInt8],
        _ key: String?,
        _ maxima: RequestMaxima
    ) async throws(Problem) -> Submission {
        try read(body, key, maxima)
    }

    private func submit(_ submission: Submission, _ exchange: Exchange, _ wait: WaitPreference?) {
        var submission = submission
        observer.trace(&submission, of: exchange)
        service.submit(submission) { [self, submission] result in
            switch result {
            case .failure(let error): exchange.respond(Problem(error).response)
            case .success(let acceptance): accept(acceptance, of: submission, exchange, wait)
            }
            answered()
        }
    }

    private func accept(
        _ acceptance: Acceptance,
        of submission: Submission,
        _ exchange: Exchange,
        _ wait: WaitPreference?
    ) {
        let since = MonotonicTime.now
        answer(exchange, acceptance.run, wait) { [self] run in
            // Somebody else's run that was under way and did not exit says nothing about this one, which runs by itself then. A
            // key stands for the run already.
            if acceptance.isCached, submission.key == nil, let wait, run.result.map({ !$0.outcome.isExit }) ?? false {
                var alone = submission
                alone.cacheDigest = nil
                return submit(alone, exchange, wait.left(after: MonotonicTime.now.since(since)))
            }
            promise(run, isCached: acceptance.isCached, mustLast: submission.key != nil, exchange, wait)
        }
    }

    /// A 202 is a promise, and so is every answer to a key: it leaves when the run is remembered.
    ///
    /// Another finished run's 201 waits for no disk.
    private func promise(_ run: Run, isCached: Bool, mustLast: Bool, _ exchange: Exchange, _ wait: WaitPreference?) {
        let status = run.state == .finished && wait != nil ? 201 : 202
        let headers = wait?.headers ?? []
        if status == 201, !mustLast { return respond(exchange, run, status: status, headers, isCached: isCached) }
        service.confirm(run.id) { [self] error in
            if let error {
                exchange.respond(Problem(.notStored(error)).response)
                return answered()
            }
            let run = status == 201 ? run : service.run(run.id) ?? run
            service.settle(run) { [self] in
                respond(exchange, run, status: status, headers, isCached: isCached)
                answered()
            }
        }
    }

    // MARK: GET /runs

    private func listRuns(_ exchange: Exchange, _ request: Request) throws(Problem) {
        let query = try ListQuery(request)
        // One more than is shown tells whether there is a next page.
        service.list(query.filter, limit: query.limit + 1) { [self] result in
            switch result {
            case .failure(let error): exchange.respond(Problem(error).response)
            case .success(let runs):
                let shown = runs.prefix(query.limit)
                let next = runs.count > query.limit ? shown.last?.id : nil
                let link = next.map { HeaderField("Link", "</runs?\(query.next(after: $0))>; rel=\"next\"") }
                let body = RunDocument.render(Array(shown), next: next)
                exchange.respond(Self.response(200, body, link.map { [$0] } ?? []))
            }
            answered()
        }
    }

    // MARK: GET /runs/{id}

    private func readRun(_ exchange: Exchange, _ request: Request, _ id: String?) throws(Problem) {
        let wait = try WaitPreference(request, atMost: maxima.wait)
        let condition = request.headers["If-None-Match"] == nil ? nil : request
        // What is kept has no header that tells of a preference, or of the request's own name.
        if condition == nil, exchange.note == nil, wait?.headers.isEmpty ?? true, let id, let name = RunID(id),
            let response = rendered[name]
        {
            // Finished: there is nothing to wait for.
            if service.knows(name) { return exchange.respond(response) }
            rendered.remove(name)
        }
        try withRun(exchange, id) { [self] run in
            answer(exchange, run, wait) { [self] run in
                respondSettled(exchange, run, status: 200, wait?.headers ?? [], unless: condition)
            }
        }
    }

    private func readOutput(_ exchange: Exchange, _ id: String?, _ stream: OutputStream) throws(Problem) {
        try withRun(exchange, id) { run throws(Problem) in
            let output = stream == .standardOutput ? run.standardOutput : run.standardError
            let body: ResponseBody
            switch output.content {
            case .bytes(let bytes): body = .bytes(bytes)
            case .file(let path, let count):
                do {
                    body = .file(try OpenFile(path: path), offset: 0, count: count)
                } catch {
                    throw Problem(status: 404, detail: "The output of this run is not there any more.")
                }
            }
            let headers = [
                HeaderField("Content-Type", "application/octet-stream"),
                HeaderField("X-Content-Type-Options", "nosniff"),
            ]
            exchange.respond(Response(status: 200, headers: headers, body: body))
        }
    }

    /// Does something with a run: at once when it is at hand, and once it has been read when it was finished long ago.
    private func withRun(
        _ exchange: Exchange,
        _ id: String?,
        _ body: @escaping @Reactor (Run) throws(Problem) -> Void
    ) throws(Problem) {
        guard let id, let name = RunID(id) else { throw Self.unknown(id) }
        if let run = service.run(name) { return try body(run) }
        service.find(name) { [self] result in
            do throws(Problem) {
                switch result {
                case .success(let run?): try body(run)
                case .success(nil): throw Self.unknown(id)
                case .failure(let error): throw Problem(error)
                }
            } catch {
                exchange.respond(error.response)
            }
            answered()
        }
    }

    private static func unknown(_ id: String?) -> Problem {
        Problem(status: 404, detail: "There is no run \(id ?? "") here, or not any more.")
    }

    // MARK: POST /runs/{id}/cancel, DELETE /runs/{id}

    private func cancelRun(_ exchange: Exchange, _ id: String?) throws(Problem) {
        guard let id, let name = RunID(id) else { throw Self.unknown(id) }
        service.cancel(name) { [self] result in
            switch result {
            case .success(.accepted(let run)): respondSettled(exchange, run, status: 202, [])
            case .success(.finished(let run)): respondSettled(exchange, run, status: 200, [])
            case .success(.unknown): exchange.respond(Self.unknown(id).response)
            case .failure(let error): exchange.respond(Problem(error).response)
            }
            answered()
        }
    }

    private func deleteRun(_ exchange: Exchange, _ id: String?) throws(Problem) {
        guard let id, let name = RunID(id) else { throw Self.unknown(id) }
        service.forget(name) { [self] answer in
            switch answer {
            case .forgotten:
                rendered.remove(name)
                exchange.respond(Response(status: 204))
            case .unfinished:
                let detail = "Run \(id) is not finished. Cancel it first: POST /runs/\(id)/cancel."
                exchange.respond(Problem(status: 409, detail: detail).response)
            case .unknown: exchange.respond(Self.unknown(id).response)
            case .failed(let error): exchange.respond(Problem(error).response)
            }
            answered()
        }
    }

    // MARK: GET /readyz

    private func checkReadiness(_ exchange: Exchange) {
        service.checkReadiness { [self] faults in
            let ready = Self.response(200, Array("{\"status\":\"ok\"}\n".utf8))
            exchange.respond(Problem(faults)?.response ?? ready)
            answered()
        }
    }

    // MARK: Answers

    /// Answers with a run, when it is finished, the wait is over, or the client hangs up, whichever comes first.
    private func answer(
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
    private func respondSettled(
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

    private func respond(
        _ exchange: Exchange,
        _ run: Run,
        status: Int,
        _ headers: [HeaderField],
        isCached: Bool = false,
        unless condition: Request? = nil
    ) {
        let isNamed = exchange.note != nil
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
            guard headers.isEmpty, status == 200, condition == nil, !isNamed, run.state == .finished,
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
    private static func response(
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
