internal import Glibc
internal import JSON
package import RunAPI
package import RunModel
internal import System

/// A client of the service's API (`GET /openapi.json`).
///
/// The client retries after transient failures (a lost connection, a restarting server, 503) for up to a minute. Every
/// request can be retried: creating a run carries an `Idempotency-Key`, and all other requests are idempotent by
/// themselves. If the first connection fails, the client does not retry.
package final class APIClient {
    /// The longest wait, in seconds, that a server allows by default in one request.
    private static let longestWait = 300
    private static let jsonHeader = "Content-Type: application/json"

    let signals: SignalSource
    /// The function that prints a progress message for people.
    let log: (String) -> Void
    private let address: ServerAddress
    private let makeTransport: () throws(ClientError) -> Transport
    private let transport: Transport
    private var hasReachedServer = false
    /// The signal that arrived while a run was being created.
    private var deferredSignal: Int32?
    /// The signal for which a run was cancelled; `nil` if none arrived.
    package private(set) var cancelSignal: Int32?

    /// - Parameters:
    ///   - address: The address of the server.
    ///   - token: The bearer token of the caller: visible ASCII.
    ///   - caFile: The path of a PEM file with certificates to trust instead of the system's.
    ///   - agent: The value of the `User-Agent` header, such as `sandglass/1.0`.
    ///   - signals: The signals that ask this program to stop.
    ///   - log: Prints a progress message for people.
    /// - Throws: `noLibrary` if there is no libcurl.
    package init(
        _ address: ServerAddress,
        token: String?,
        caFile: String?,
        agent: String,
        signals: SignalSource,
        log: @escaping (String) -> Void
    ) throws(ClientError) {
        (self.address, self.signals, self.log) = (address, signals, log)
        makeTransport = { () throws(ClientError) -> Transport in
            try Transport(address, token: token, caFile: caFile, agent: agent, signals: signals)
        }
        transport = try makeTransport()
    }

    // MARK: Runs

    /// Creates a run exactly once, however often the request must be retried.
    ///
    /// A signal is deferred until the response arrives, because the run may exist by then. A second signal stops the
    /// client.
    func create(_ body: [UInt8]) throws(ClientError) -> ReceivedRun {
        deferSignals()
        let headers = [Self.jsonHeader, Self.newKeyHeader]
        return try run(OutgoingRequest(method: "POST", target: "/runs", headers: headers, body: .bytes(body)))
    }

    /// Repeats the request of a run exactly once, however often this request must be retried.
    ///
    /// A signal is deferred as in ``create(_:)``.
    package func rerun(_ id: RunID) throws(ClientError) -> ReceivedRun {
        deferSignals()
        let request = OutgoingRequest(
            method: "POST",
            target: "/runs/\(id)/rerun",
            headers: [Self.newKeyHeader],
            body: .bytes([])
        )
        return try self.request(about: id) { () throws(ClientError) in try run(request) }
    }

    /// A header that lets a server recognize the retries of a request.
    private static var newKeyHeader: String {
        let key = (0..<4).map { _ in String(UInt32.random(in: 0 ... .max), radix: 16) }.joined(separator: "-")
        return "Idempotency-Key: \"\(key)\""
    }

    private func deferSignals() {
        signals.handler = { [self] signal throws(ClientError) in
            guard deferredSignal == nil else { throw .stopped(signal: signal) }
            deferredSignal = signal
        }
    }

    /// Fetches the capabilities of the server; `nil` if the server does not tell them.
    func capabilities() throws(ClientError) -> JSONObject? {
        do throws(ClientError) {
            let response = try send(OutgoingRequest(target: "/capabilities"))
            return (try? JSONParser.parse(response.body))?.object
        } catch {
            if case .refused = error { return nil }
            throw error
        }
    }

    /// Fetches the current state of a run.
    ///
    /// - Parameters:
    ///   - id: The run.
    ///   - seconds: The time in seconds that the server may wait for the run to finish.
    /// - Returns: The run with its output.
    /// - Throws: If the request fails or is refused.
    package func run(_ id: RunID, wait seconds: Int = 0) throws(ClientError) -> ReceivedRun {
        let query = seconds > 0 ? "?wait=\(seconds)" : ""
        return try request(about: id) { () throws(ClientError) in
            try run(OutgoingRequest(target: "/runs/\(id)\(query)", idleTimeout: .seconds(60 + seconds)))
        }
    }

    /// Waits for a run to finish and fetches it.
    ///
    /// - Parameters:
    ///   - id: The run.
    ///   - timeout: The longest wait.
    /// - Returns: The run with its output. It may still be unfinished after the timeout.
    /// - Throws: If a request fails or is refused.
    package func run(_ id: RunID, waitingAtMost timeout: Duration) throws(ClientError) -> ReceivedRun {
        let end = MonotonicTime.now.advanced(by: timeout)
        while true {
            let remaining = end.since(.now)
            let requestTime = MonotonicTime.now
            let run = try run(id, wait: min(Int((remaining / .seconds(1)).rounded(.up)), Self.longestWait))
            if run.isFinished || end <= .now { return run }
            // A server may allow a shorter wait, or none.
            if MonotonicTime.now.since(requestTime) < .seconds(1) {
                try signals.wait(timeout: min(.seconds(1), end.since(.now)))
            }
        }
    }

    /// Returns an output to a descriptor of this program whose waits deliver this client's signals.
    package func output(to descriptor: Int32) -> BlockingOutput { BlockingOutput(descriptor, signals) }

    /// Cancels a run.
    ///
    /// The request has its own connection, so that it can be sent while another request of this client is in progress.
    package func cancel(_ id: RunID) throws(ClientError) {
        let request = OutgoingRequest(method: "POST", target: "/runs/\(id)/cancel", body: .bytes([]))
        try self.request(about: id) { () throws(ClientError) in _ = try send(request, by: try makeTransport()) }
    }

    /// Deletes a finished run with its output and artifacts.
    package func delete(_ id: RunID) throws(ClientError) {
        let request = OutgoingRequest(method: "DELETE", target: "/runs/\(id)")
        try self.request(about: id) { () throws(ClientError) in _ = try send(request) }
    }

    /// Calls a closure that sends a request about a run, and names the run and the server if there is no such run.
    func request<Result>(
        about id: RunID,
        _ body: () throws(ClientError) -> Result
    ) throws(ClientError) -> Result {
        do throws(ClientError) {
            return try body()
        } catch {
            // Without a problem document something other than a Sandglass server sent the 404.
            guard case .refused(let problem) = error, problem.status == 404, problem.detail != nil else { throw error }
            throw .unknownRun(id, server: address.description)
        }
    }

    /// Makes the next signal cancel a run, and the one after it stop the client.
    ///
    /// - Throws: `stopped` if two signals have arrived already.
    package func cancelOnSignal(_ id: RunID) throws(ClientError) {
        signals.handler = { [self] signal throws(ClientError) in
            cancelSignal = signal
            stopOnSignal()
            do throws(ClientError) {
                try cancel(id)
            } catch {
                if case .stopped = error { throw error }
                log("\(error)\nThe run \(id) could not be cancelled.")
            }
        }
        if let deferredSignal { try signals.handler(deferredSignal) }
    }

    /// Makes the next signal stop the client.
    package func stopOnSignal() {
        signals.handler = { signal throws(ClientError) in throw .stopped(signal: signal) }
    }

    /// Fetches a page of runs, newest first, with the cursor of the next page.
    ///
    /// - Parameter query: The query parameters of `GET /runs`.
    /// - Returns: The page.
    /// - Throws: If the request fails or is refused.
    package func runs(_ query: [(name: String, value: String)]) throws(ClientError) -> RunPage {
        let items = query.map { "\($0.name)=\(PercentCoding.encode($0.value))" }
        let target = "/runs" + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
        return try RunPage(try Self.json(try send(OutgoingRequest(target: target))))
    }

    /// Fetches the number of bytes of a stream that the server has stored so far.
    func storedBytes(_ id: RunID, _ stream: OutputStream) throws(ClientError) -> Int {
        let response: IncomingResponse
        do throws(ClientError) {
            response = try send(OutgoingRequest(method: "HEAD", target: "/runs/\(id)/\(stream.rawValue)"))
        } catch {
            // A response to HEAD has no body that names the fault. The response to GET has one.
            _ = try run(id)
            throw error
        }
        guard let count = response["Content-Length"].flatMap({ Int($0) }) else {
            throw .invalidResponse("The server did not send the length of the run's output.")
        }
        return count
    }

    private func run(_ request: OutgoingRequest) throws(ClientError) -> ReceivedRun {
        try ReceivedRun(try Self.json(try send(request)))
    }

    private static func json(_ response: IncomingResponse) throws(ClientError) -> JSONValue {
        do throws(JSONParseError) {
            return try JSONParser.parse(response.body)
        } catch {
            throw .invalidResponse("The response is not JSON. Is this the address of a Sandglass server?")
        }
    }

    // MARK: Requests

    /// Sends a request and retries it until a response is successful.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - other: The connection to use instead of the client's own.
    ///   - expected: Status codes outside 2xx that count as success.
    ///   - progress: Called repeatedly with the number of sent bytes of the body.
    /// - Returns: The response.
    /// - Throws: An error that is not transient, or that has persisted for a minute.
    func send(
        _ request: OutgoingRequest,
        by other: Transport? = nil,
        expecting expected: Set<Int> = [],
        progress: (Int) throws(ClientError) -> Void = { _ in }
    ) throws(ClientError) -> IncomingResponse {
        var policy = RetryPolicy()
        var hasLogged = false
        while true {
            do throws(ClientError) {
                return try sendOnce(request, by: other, expecting: expected, progress: progress)
            } catch {
                try pause(after: error, &policy, &hasLogged)
            }
        }
    }

    /// Sends a request without retries.
    func sendOnce(
        _ request: OutgoingRequest,
        by other: Transport? = nil,
        expecting expected: Set<Int> = [],
        progress: (Int) throws(ClientError) -> Void = { _ in },
        receive: (UnsafeRawBufferPointer) throws(ClientError) -> Void = { _ in }
    ) throws(ClientError) -> IncomingResponse {
        let response = try (other ?? transport).send(request, progress: progress, receive: receive)
        hasReachedServer = true
        guard response.isSuccess || expected.contains(response.status) else {
            throw .refused(ServerProblem(response))
        }
        return response
    }

    /// Waits before a retry, and logs the reason before the first one.
    ///
    /// - Throws: The error itself if it is not worth a retry.
    func pause(after error: ClientError, _ policy: inout RetryPolicy, _ hasLogged: inout Bool) throws(ClientError) {
        guard error.isTransient else { throw error }
        // The address is probably wrong.
        if case .unreachable = error, !hasReachedServer { throw error }
        var retryAfter: Int?
        if case .refused(let problem) = error { retryAfter = problem.retryAfter }
        guard let pause = policy.recordFailure(retryAfter: retryAfter) else { throw error }
        if !hasLogged { log("\(error) (retrying)") }
        hasLogged = true
        // There is no response to wait for, so a deferred signal stops the client.
        if let deferredSignal, cancelSignal == nil { throw .stopped(signal: deferredSignal) }
        try signals.wait(timeout: pause)
        if let deferredSignal, cancelSignal == nil { throw .stopped(signal: deferredSignal) }
    }
}
