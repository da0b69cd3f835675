internal import Digests
internal import HTTPServer
internal import Identity
internal import Reactor
internal import Runs
internal import Service
internal import Store

/// `POST /runs`.
extension APIHandler {
    /// A larger body is read away from the reactor's thread.
    private static let largeBody = 64 << 10

    func createRun(_ call: Call) throws(Problem) {
        let (exchange, request, principal) = (call.exchange, call.request, call.principal)
        if let rate = service.countRequest(of: principal) {
            exchange.headers += RateLimitFields.headers(rate)
            guard rate.isAllowed else { throw RateLimitFields.refusal(rate) }
        }
        try policy.checkContentType(request)
        let key = try IdempotencyKeyField.read(request)
        let wait = try WaitPreference(request, atMost: maxima.wait)
        if request.body.count <= Self.largeBody {
            submit(try Self.read(request.body, key, maxima, principal), exchange, wait)
            return
        }
        let maxima = maxima
        Task { @Reactor in
            do throws(Problem) {
                let submission = try await Self.readLarge(request.body, key, maxima, principal)
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
        _ maxima: RequestMaxima,
        _ principal: Principal
    ) throws(Problem) -> Submission {
        let order = try RunRequest.decode(body, maxima: maxima)
        var submission = Submission(
            order.specification,
            of: principal.name,
            key: key.map { IdempotencyKey($0, body: SHA256Digest(of: body)) },
            cacheDigest: order.usesCache ? order.specification.digest : nil
        )
        submission.seesAllBlobs = principal.may(.admin)
        return submission
    }

    @concurrent
    private nonisolated static func readLarge(
        _ body: [UInt8],
        _ key: String?,
        _ maxima: RequestMaxima,
        _ principal: Principal
    ) async throws(Problem) -> Submission {
        try read(body, key, maxima, principal)
    }

    private func submit(_ submission: Submission, _ exchange: Exchange, _ wait: WaitPreference?) {
        var submission = submission
        observer.trace(&submission, of: exchange)
        service.submit(submission) { [self, submission] result in
            switch result {
            case .failure(let error): exchange.respond(Problem(error, of: submission.specification).response)
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
    /// Another finished run's 201 waits for no disk, if there is nothing behind it: it holds the whole result then.
    private func promise(_ run: Run, isCached: Bool, mustLast: Bool, _ exchange: Exchange, _ wait: WaitPreference?) {
        let status = run.state == .finished && wait != nil ? 201 : 202
        let headers = wait?.headers ?? []
        let isWhole = run.result?.artifacts.kept.isEmpty ?? false
        if status == 201, isWhole, !mustLast {
            return respond(exchange, run, status: status, headers, isCached: isCached)
        }
        service.confirm(run.id) { [self] error in
            if let error {
                exchange.respond(Problem(error).response)
                return answered()
            }
            let run = status == 201 ? run : service.run(run.id) ?? run
            service.settle(run) { [self] in
                respond(exchange, run, status: status, headers, isCached: isCached)
                answered()
            }
        }
    }
}
