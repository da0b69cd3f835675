internal import HTTPServer
internal import Identity
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Service
internal import Store

/// The handler of `GET /runs`, `GET /runs/{id}`, `POST /runs/{id}/cancel` and `DELETE /runs/{id}`.
@ReactorActor
final class RunsHandler {
    private let service: RunService
    private let maxima: RequestLimits
    private let responder: RunResponder
    private let publicAddress: PublicAddress

    init(
        _ service: RunService,
        _ maxima: RequestLimits,
        _ responder: RunResponder,
        _ publicAddress: PublicAddress
    ) {
        (self.service, self.maxima, self.responder) = (service, maxima, responder)
        self.publicAddress = publicAddress
    }

    func list(_ request: AuthenticatedRequest) async throws(Problem) -> Reply.Content {
        let query = try ListQuery(request.http)
        var filter = query.filter
        if !request.principal.may(.admin) { filter.ownedBy = request.principal.name }
        let runs: [Run]
        do throws(StoreError) {
            // One run more than the page shows whether there is a next page.
            runs = try await service.list(filter, limit: query.limit + 1)
        } catch { throw Problem(error) }
        let page = Array(runs.prefix(query.limit))
        let next = runs.count > query.limit ? page.last?.id : nil
        let base = publicAddress.base(of: request.exchange)
        let link = next.map { HeaderField("Link", "<\(base)/runs?\(query.next(after: $0))>; rel=\"next\"") }
        let body =
            RunDocument.isLarge(page)
            ? await Self.render(page, next: next) : RunDocument.render(page, next: next)
        return .response(.json(200, body, link.map { [$0] } ?? [], unless: request.http))
    }

    /// Renders a large page on another thread.
    @concurrent
    private nonisolated static func render(_ runs: [Run], next: RunID?) async -> [UInt8] {
        RunDocument.render(runs, next: next)
    }

    /// Sends a run.
    ///
    /// A run in memory needs no task, so polling clients get their response within the same turn of the event loop.
    func read(_ request: AuthenticatedRequest) throws(Problem) {
        let http = request.http
        let wait = try WaitPreference(http, atMost: maxima.wait)
        let condition = http.headers["If-None-Match"] == nil ? nil : http
        let id = try request.runID()
        // A cached response belongs to a finished run, so there is nothing to wait for. It has no header of its own.
        if condition == nil, wait?.headers.isEmpty ?? true, let response = responder.rendered(id, for: request) {
            return request.reply.send(response)
        }
        if let run = service.run(id, for: request.principal) {
            return send(run, wait, unless: condition, to: request)
        }
        request.reply.perform { [self] () async throws(Problem) in
            send(try await service.run(of: request), wait, unless: condition, to: request)
        }
    }

    private func send(
        _ run: Run,
        _ wait: WaitPreference?,
        unless condition: Request?,
        to request: AuthenticatedRequest
    ) {
        responder.waitForEnd(of: run, wait, request) { [responder] run in
            responder.sendWhenPersisted(run, status: 200, wait?.headers ?? [], unless: condition, to: request)
        }
    }

    func cancel(_ request: AuthenticatedRequest) async throws(Problem) {
        let id = try request.runID()
        let result: CancelResult
        do throws(StoreError) {
            result = try await service.cancel(id, by: request.principal)
        } catch { throw Problem(error) }
        switch result {
        case .accepted(let run): responder.sendWhenPersisted(run, status: 202, to: request)
        case .finished(let run): responder.sendWhenPersisted(run, status: 200, to: request)
        case .unknown: throw request.unknownRun
        }
    }

    func delete(_ request: AuthenticatedRequest) async throws(Problem) -> Reply.Content {
        let id = try request.runID()
        let result: DeleteResult
        do throws(StoreError) {
            result = try await service.delete(id, by: request.principal)
        } catch { throw Problem(error) }
        switch result {
        case .deleted:
            responder.remove(id)
            return .response(Response(status: 204))
        case .unfinished:
            throw Problem(
                status: 409,
                detail: "Run \(id) is not finished. Cancel it first with POST /runs/\(id)/cancel."
            )
        case .unknown: throw request.unknownRun
        }
    }
}

extension RunService {
    /// Finds the run in the path of a request.
    ///
    /// - Throws: a 404 problem if the run does not exist, or the problem of the store.
    func run(of request: AuthenticatedRequest) async throws(Problem) -> Run {
        let id = try request.runID()
        let run: Run?
        do throws(StoreError) { run = try await find(id, for: request.principal) } catch { throw Problem(error) }
        guard let run else { throw request.unknownRun }
        return run
    }

    /// Subscribes to the run in the path of a request.
    ///
    /// - Throws: a 404 problem if the run does not exist, or the problem of the store.
    func subscription(of request: AuthenticatedRequest) async throws(Problem) -> RunSubscription {
        let id = try request.runID()
        let run: RunSubscription?
        do throws(StoreError) { run = try await subscribe(to: id, for: request.principal) } catch {
            throw Problem(error)
        }
        guard let run else { throw request.unknownRun }
        return run
    }
}
