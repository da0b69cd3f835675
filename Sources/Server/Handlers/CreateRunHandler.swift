internal import HTTPServer
internal import Identity
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Service
internal import Store
internal import System

/// The handler of `POST /runs`, which checks the request, submits the run, waits for its end, and responds when the
/// response is durable.
@ReactorActor
final class CreateRunHandler {
    /// The body size in bytes above which a body is decoded on another thread.
    private static let largeBody = 64 << 10

    private let service: RunService
    private let maxima: RequestLimits
    private let observer: RequestObserver
    private let responder: RunResponder

    init(_ service: RunService, _ maxima: RequestLimits, _ observer: RequestObserver, _ responder: RunResponder) {
        (self.service, self.maxima) = (service, maxima)
        (self.observer, self.responder) = (observer, responder)
    }

    /// Checks the head of a request that creates a run.
    func accept(_ request: AuthenticatedRequest, _ endpoint: Endpoint) throws(Problem) -> CreateRunPreferences {
        try countRequest(request)
        let http = request.http
        if case .createRun = endpoint { try RequestPolicy.checkContentType(http) }
        return CreateRunPreferences(
            key: try IdempotencyKeyField.parse(http),
            wait: try WaitPreference(http, atMost: maxima.wait)
        )
    }

    func create(_ request: AuthenticatedRequest, _ preferences: CreateRunPreferences) throws(Problem) {
        let body = request.exchange.takeBody()
        let (key, maxima, principal) = (preferences.key, maxima, request.principal)
        if body.count <= Self.largeBody {
            let submission = try Self.decode(body, key, maxima, principal)
            request.exchange.releaseBody()
            return submit(submission, for: request, preferences.wait)
        }
        request.reply.perform { [self] () async throws(Problem) in
            let submission = try await Self.decodeConcurrently(body, key, maxima, principal)
            request.exchange.releaseBody()
            submit(submission, for: request, preferences.wait)
        }
    }

    // MARK: Repeating a run

    /// Submits the request of an earlier run again, as a run of the caller's own.
    func rerun(_ request: AuthenticatedRequest, _ preferences: CreateRunPreferences) throws(Problem) {
        let id = try request.runID()
        let (key, wait) = (preferences.key, preferences.wait)
        request.reply.perform { [self] () async throws(Problem) in
            let run = try await service.run(of: request)
            let specification: RunSpecification?
            do throws(StoreError) { specification = try await service.request(of: run) } catch { throw Problem(error) }
            guard let specification else {
                throw Problem(
                    status: 409,
                    detail:
                        "The request of run \(id) was not stored, because an earlier version of the server accepted "
                        + "it. Send the request again with POST /runs."
                )
            }
            try checkMaxima(specification)
            let body = SHA256Digest(of: Array("rerun \(id)".utf8))
            var submission = Submission(
                specification,
                of: request.principal.name,
                key: key.map { IdempotencyKey($0, body: body) }
            )
            submission.seesAllBlobs = request.principal.may(.admin)
            submission.isRerun = true
            submit(submission, for: request, wait)
        }
    }

    /// Refuses a request that this server would not accept any more.
    private func checkMaxima(_ specification: RunSpecification) throws(Problem) {
        let faults = maxima.faults(of: specification)
        guard !faults.isEmpty else { return }
        throw Problem(
            status: 422,
            detail: "This server accepts the request of the run no longer. Send a changed one with POST /runs.",
            faults: faults
        )
    }

    private func countRequest(_ request: AuthenticatedRequest) throws(Problem) {
        guard let rate = service.countRequest(of: request.principal) else { return }
        request.exchange.headers += rate.headers
        guard rate.isAllowed else { throw Problem(rateLimit: rate) }
    }

    // MARK: Decoding

    private nonisolated static func decode(
        _ body: [UInt8],
        _ key: String?,
        _ maxima: RequestLimits,
        _ principal: Principal
    ) throws(Problem) -> Submission {
        let decoded: CreateRunRequest
        do throws(ProblemDocument) {
            decoded = try CreateRunDecoder.decode(body, maxima: maxima)
        } catch {
            throw Problem(error)
        }
        var submission = Submission(
            decoded.specification,
            of: principal.name,
            key: key.map { IdempotencyKey($0, body: SHA256Digest(of: body)) },
            cacheDigest: decoded.usesCache ? decoded.specification.digest : nil
        )
        submission.specification.recordedFiles = decoded.specification.files.map { file in
            RecordedFile(file) { SHA256Digest(of: $0).hexadecimal }
        }
        submission.seesAllBlobs = principal.may(.admin)
        return submission
    }

    @concurrent
    private nonisolated static func decodeConcurrently(
        _ body: [UInt8],
        _ key: String?,
        _ maxima: RequestLimits,
        _ principal: Principal
    ) async throws(Problem) -> Submission {
        try decode(body, key, maxima, principal)
    }

    // MARK: From the submission to the response

    // The steps call each other instead of awaiting: a task would cost an additional turn of the event loop for
    // each run.

    private func submit(_ submission: Submission, for request: AuthenticatedRequest, _ wait: WaitPreference?) {
        var submission = submission
        observer.trace(&submission, of: request.exchange)
        service.submit(submission) { [self, submission] result in
            switch result {
            case .failure(let error): request.reply.send(Problem(error, of: submission))
            case .success(let result): waitForEnd(of: result, submission, for: request, wait)
            }
        }
    }

    private func waitForEnd(
        of result: SubmitResult,
        _ submission: Submission,
        for request: AuthenticatedRequest,
        _ wait: WaitPreference?
    ) {
        let begin = MonotonicTime.now
        responder.waitForEnd(of: result.run, wait, request) { [self] run in
            if let wait, Self.mustRunAgain(run, result, submission) {
                var uncached = submission
                uncached.cacheDigest = nil
                return submit(uncached, for: request, wait.remaining(after: MonotonicTime.now.since(begin)))
            }
            respondDurably(with: run, result, submission, to: request, wait)
        }
    }

    /// Returns whether the shared run of another submission ended in a way that says nothing about this submission.
    ///
    /// Only an exit is a result that others may share. A submission with a key keeps the run to which the key
    /// already belongs.
    private static func mustRunAgain(_ run: Run, _ result: SubmitResult, _ submission: Submission) -> Bool {
        result.isCached && submission.key == nil && run.result.map { !$0.outcome.isExit } ?? false
    }

    /// Sends a run when a crash of the server can no longer invalidate the response.
    ///
    /// A 202 and every response to a key must survive a crash. A 201 without a key is sent immediately if it
    /// contains the whole result, that is, if the run has no artifacts to read later.
    private func respondDurably(
        with run: Run,
        _ result: SubmitResult,
        _ submission: Submission,
        to request: AuthenticatedRequest,
        _ wait: WaitPreference?
    ) {
        let isFinal = run.state == .finished && wait != nil
        let status = isFinal ? 201 : 202
        let headers = wait?.headers ?? []
        let hasArtifacts = !(run.result?.artifacts.kept.isEmpty ?? true)
        if isFinal, !hasArtifacts, submission.key == nil {
            return responder.send(run, status: status, headers, isCached: result.isCached, to: request)
        }
        service.persist(run.id) { [self] error in
            if let error { return request.reply.send(Problem(error)) }
            let run = isFinal ? run : service.run(run.id) ?? run
            responder.sendWhenPersisted(run, status: status, headers, isCached: result.isCached, to: request)
        }
    }
}

extension RateState {
    /// The headers `RateLimit` and `RateLimit-Policy`: the policy `runs` with a window of one minute.
    ///
    /// Source: draft-ietf-httpapi-ratelimit-headers-10.
    fileprivate var headers: [HeaderField] {
        [
            HeaderField("RateLimit-Policy", "\"runs\";q=\(quota);w=60"),
            HeaderField("RateLimit", "\"runs\";r=\(remaining);t=\(secondsToAll)"),
        ]
    }
}

/// The headers and parameters of a request that creates a run.
struct CreateRunPreferences {
    /// The value of `Idempotency-Key`.
    var key: String?
    /// The time to wait for the end of the run.
    var wait: WaitPreference?
}

/// The header `Idempotency-Key`: a structured string such as `"8e03978e-…"`, or the same without quotation marks.
enum IdempotencyKeyField {
    private static let maximumLength = 255

    /// Returns the key of a request; `nil` if the request has none.
    ///
    /// Source: draft-ietf-httpapi-idempotency-key-header, section 2.1; RFC 9651, section 3.3.3.
    ///
    /// - Throws: a 400 problem for a malformed or repeated header.
    static func parse(_ request: Request) throws(Problem) -> String? {
        let values = request.headers.values(of: "Idempotency-Key")
        guard let value = values.first else { return nil }
        guard values.count == 1 else { throw invalid("the request has \(values.count) of them; send one") }
        let key = value.utf8.first == UInt8(ascii: "\"") ? try unquoted(value) : value
        guard (1...maximumLength).contains(key.utf8.count) else {
            throw invalid("its length must be 1 to \(maximumLength) characters")
        }
        let allowed: ClosedRange<UInt8> = value.utf8.count == key.utf8.count ? 0x21...0x7E : 0x20...0x7E
        guard key.utf8.allSatisfy(allowed.contains) else {
            throw invalid("it must consist of visible ASCII characters, and spaces only between quotation marks")
        }
        return key
    }

    /// Returns the content of a quoted string, in which a backslash escapes a quotation mark or a backslash.
    private static func unquoted(_ text: String) throws(Problem) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                guard rest.isEmpty else { throw invalid("characters follow its closing quotation mark") }
                return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), [UInt8(ascii: "\""), UInt8(ascii: "\\")].contains(escaped) else {
                    throw invalid("a backslash may only precede a quotation mark or a backslash")
                }
                bytes.append(escaped)
            default: bytes.append(byte)
            }
        }
        throw invalid("its closing quotation mark is missing")
    }

    private static func invalid(_ detail: String) -> Problem {
        Problem(status: 400, detail: "The header Idempotency-Key is invalid: \(detail).")
    }
}
