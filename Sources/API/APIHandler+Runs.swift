internal import HTTPServer
internal import Identity
internal import Reactor
internal import Runs
internal import Service
internal import Store

/// Reading, cancelling and forgetting runs.
extension APIHandler {
    // MARK: GET /runs

    func listRuns(_ call: Call) throws(Problem) {
        let exchange = call.exchange
        let query = try ListQuery(call.request)
        var filter = query.filter
        if !call.principal.may(.admin) { filter.principal = call.principal.name }
        // One more than is shown tells whether there is a next page.
        service.list(filter, limit: query.limit + 1) { [self] result in
            switch result {
            case .failure(let error): exchange.respond(Problem(error).response)
            case .success(let runs):
                let shown = runs.prefix(query.limit)
                let next = runs.count > query.limit ? shown.last?.id : nil
                let link = next.map { HeaderField("Link", "</runs?\(query.next(after: $0))>; rel=\"next\"") }
                let headers = link.map { [$0] } ?? []
                guard RunDocument.isLarge(Array(shown)) else {
                    let body = RunDocument.render(Array(shown), next: next)
                    exchange.respond(Self.response(200, body, headers, unless: call.request))
                    break
                }
                Task { @Reactor in
                    let body = await Self.render(Array(shown), next: next)
                    exchange.respond(Self.response(200, body, headers, unless: call.request))
                    answered()
                }
            }
            answered()
        }
    }

    @concurrent
    private nonisolated static func render(_ runs: [Run], next: RunID?) async -> [UInt8] {
        RunDocument.render(runs, next: next)
    }

    // MARK: GET /runs/{id}

    func readRun(_ call: Call) throws(Problem) {
        let (exchange, request) = (call.exchange, call.request)
        let wait = try WaitPreference(request, atMost: maxima.wait)
        let condition = request.headers["If-None-Match"] == nil ? nil : request
        // What is kept has no header that tells of a preference.
        if condition == nil, exchange.headers.isEmpty, !observer.isNamed(exchange), wait?.headers.isEmpty ?? true,
            let name = call.runID,
            let response = rendered[name]
        {
            // Finished: there is nothing to wait for.
            if service.knows(name, for: call.principal) { return exchange.respond(response) }
            if !service.knows(name, for: .everybody) { rendered.remove(name) }
        }
        try withRun(call) { [self] run in
            answer(exchange, run, wait) { [self] run in
                respondSettled(exchange, run, status: 200, wait?.headers ?? [], unless: condition)
            }
        }
    }

    /// Does something with a run: at once when it is at hand, and once it has been read when it was finished long ago.
    func withRun(
        _ call: Call,
        _ body: @escaping @Reactor (Run) throws(Problem) -> Void
    ) throws(Problem) {
        guard let name = call.runID else { throw Self.unknown(call) }
        if let run = service.run(name, for: call.principal) { return try body(run) }
        service.find(name, for: call.principal) { [self] result in
            do throws(Problem) {
                switch result {
                case .success(let run?): try body(run)
                case .success(nil): throw Self.unknown(call)
                case .failure(let error): throw Problem(error)
                }
            } catch {
                call.exchange.respond(error.response)
            }
            answered()
        }
    }

    static func unknown(_ call: Call) -> Problem {
        Problem(status: 404, detail: "There is no run \(call.parameters["id"] ?? "") here, or not any more.")
    }

    // MARK: POST /runs/{id}/cancel, DELETE /runs/{id}

    func cancelRun(_ call: Call) throws(Problem) {
        let exchange = call.exchange
        guard let name = call.runID else { throw Self.unknown(call) }
        service.cancel(name, by: call.principal) { [self] result in
            switch result {
            case .success(.accepted(let run)): respondSettled(exchange, run, status: 202, [])
            case .success(.finished(let run)): respondSettled(exchange, run, status: 200, [])
            case .success(.unknown): exchange.respond(Self.unknown(call).response)
            case .failure(let error): exchange.respond(Problem(error).response)
            }
            answered()
        }
    }

    func deleteRun(_ call: Call) throws(Problem) {
        let exchange = call.exchange
        guard let name = call.runID else { throw Self.unknown(call) }
        service.forget(name, by: call.principal) { [self] answer in
            switch answer {
            case .forgotten:
                rendered.remove(name)
                exchange.respond(Response(status: 204))
            case .unfinished:
                let detail = "Run \(name) is not finished. Cancel it first: POST /runs/\(name)/cancel."
                exchange.respond(Problem(status: 409, detail: detail).response)
            case .unknown: exchange.respond(Self.unknown(call).response)
            case .failed(let error): exchange.respond(Problem(error).response)
            }
            answered()
        }
    }
}
