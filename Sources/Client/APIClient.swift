internal import Glibc
internal import JSON
internal import Reactor
public import Runs

/// A client of the service's API (`GET /openapi.json`).
///
/// What may pass (a connection that breaks off, a server that restarts, 503) is asked again for a minute; what may be asked
/// again is, for a run that is created comes with an `Idempotency-Key` and all else is idempotent by itself. A server that
/// cannot be reached from the start is not waited for.
public final class APIClient {
    /// What servers let a request wait, by their own choice.
    private static let longestWait = 300
    private static let jsonHeader = "Content-Type: application/json"

    let stops: StopRequests
    /// Says a line to people about what goes on.
    public let say: (String) -> Void
    private let makeTransport: () throws(ClientError) -> Transport
    private let transport: Transport
    private var hasAnswered = false
    /// The signal that came while a run was being created.
    private var earlyStop: Int32?
    /// The signal for which a run was cancelled; `nil`: none has come.
    public private(set) var cancelSignal: Int32?

    /// - Parameters:
    ///   - address: where the server is.
    ///   - token: what it knows the caller by; visible ASCII.
    ///   - caFile: a PEM file of certificates to trust instead of the system's.
    ///   - agent: what the server is told about this program, such as `sandglass/1.0`.
    ///   - stops: the signals that ask this program to stop.
    ///   - say: says a line to people.
    /// - Throws: that there is no libcurl.
    public init(
        _ address: ServerAddress,
        token: String?,
        caFile: String?,
        agent: String,
        stops: StopRequests,
        say: @escaping (String) -> Void
    ) throws(ClientError) {
        (self.stops, self.say) = (stops, say)
        makeTransport = { () throws(ClientError) -> Transport in
            try Transport(address, token: token, caFile: caFile, agent: agent, stops: stops)
        }
        transport = try makeTransport()
    }

    // MARK: Runs

    /// Creates a run, once, however often that has to be asked for.
    ///
    /// A stop request waits for the answer, for there may be a run by then; a second one does not.
    func create(_ body: [UInt8]) throws(ClientError) -> ReceivedRun {
        stops.handler = { [self] signal throws(ClientError) in
            guard earlyStop == nil else { throw .stopped(signal: signal) }
            earlyStop = signal
        }
        let key = (0..<4).map { _ in String(UInt32.random(in: 0 ... .max), radix: 16) }.joined(separator: "-")
        let headers = [Self.jsonHeader, "Idempotency-Key: \"\(key)\""]
        return try run(Request(method: "POST", target: "/runs", headers: headers, body: .bytes(body)))
    }

    /// A run as it stands.
    ///
    /// - Parameters:
    ///   - id: which one.
    ///   - seconds: how long to wait for its end, if it is not over.
    /// - Returns: the run with its output.
    /// - Throws: what keeps the server from being asked, and what it refuses.
    public func run(_ id: RunID, wait seconds: Int = 0) throws(ClientError) -> ReceivedRun {
        let query = seconds > 0 ? "?wait=\(seconds)" : ""
        return try run(Request(target: "/runs/\(id)\(query)", silence: .seconds(60 + seconds)))
    }

    /// A run, at its end if that comes in time.
    ///
    /// - Parameters:
    ///   - id: which one.
    ///   - patience: how long to wait for its end.
    /// - Returns: the run with its output.
    /// - Throws: what keeps the server from being asked, and what it refuses.
    public func run(_ id: RunID, waitingFor patience: Duration) throws(ClientError) -> ReceivedRun {
        let end = MonotonicTime.now.advanced(by: patience)
        while true {
            let left = end.since(.now)
            let asked = MonotonicTime.now
            let run = try run(id, wait: min(Int((left / .seconds(1)).rounded(.up)), Self.longestWait))
            if run.isFinished || end <= .now { return run }
            // A server may let nobody wait so long, or at all.
            if MonotonicTime.now.since(asked) < .seconds(1) {
                try stops.wait(atMost: min(.seconds(1), end.since(.now)))
            }
        }
    }

    /// Where a run's output goes on this machine.
    ///
    /// - Parameter descriptor: such as 1.
    /// - Returns: a port whose waits hear of this client's stop requests.
    public func port(_ descriptor: Int32) -> OutputPort { OutputPort(descriptor, stops) }

    /// Asks for a run's end.
    ///
    /// While another request of this client is under way, too.
    ///
    /// - Parameter id: which one.
    /// - Throws: what keeps the server from being asked, and what it refuses.
    public func cancel(_ id: RunID) throws(ClientError) {
        let request = Request(method: "POST", target: "/runs/\(id)/cancel", body: .bytes([]))
        _ = try send(request, by: try makeTransport())
    }

    /// Makes the first stop request from now on cancel a run, which is followed to its end then, and the next one stop the
    /// client.
    ///
    /// - Parameter id: which run.
    /// - Throws: `stopped` if there were two already.
    public func cancelOnStop(_ id: RunID) throws(ClientError) {
        stops.handler = { [self] signal throws(ClientError) in
            cancelSignal = signal
            stopOnSignal()
            do throws(ClientError) {
                try cancel(id)
            } catch {
                if case .stopped = error { throw error }
                say("\(error)\nThe run \(id) could not be cancelled.")
            }
        }
        if let earlyStop { try stops.handler(earlyStop) }
    }

    /// Makes the next stop request stop the client.
    public func stopOnSignal() {
        stops.handler = { signal throws(ClientError) in throw .stopped(signal: signal) }
    }

    /// A page of runs, the newest first, and what leads to the next one.
    ///
    /// - Parameter query: what `GET /runs` takes, by name.
    /// - Returns: the page.
    /// - Throws: what keeps the server from being asked, and what it refuses.
    public func runs(_ query: [(name: String, value: String)]) throws(ClientError) -> RunPage {
        let items = query.map { "\($0.name)=\(PercentEncoding.encode($0.value))" }
        let target = "/runs" + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
        return try RunPage(try Self.json(try send(Request(target: target))))
    }

    /// How many bytes of a stream there are by now.
    func keptBytes(_ id: RunID, _ stream: OutputStream) throws(ClientError) -> Int {
        let answer = try send(Request(method: "HEAD", target: "/runs/\(id)/\(stream.rawValue)"))
        guard let count = answer["Content-Length"].flatMap({ Int($0) }) else {
            throw .misunderstood("The server does not say how much a run has written.")
        }
        return count
    }

    private func run(_ request: Request) throws(ClientError) -> ReceivedRun {
        try ReceivedRun(try Self.json(try send(request)))
    }

    private static func json(_ answer: Answer) throws(ClientError) -> JSONValue {
        do throws(JSONParseError) {
            return try JSONParser.parse(answer.body)
        } catch {
            throw .misunderstood("The server's answer is no JSON. Is that the address of a Sandglass server?")
        }
    }

    // MARK: Requests

    /// Sends a request until there is an answer that is a success.
    ///
    /// - Throws: what does not pass, or has not passed for a minute.
    func send(
        _ request: Request,
        by other: Transport? = nil,
        expecting expected: Set<Int> = [],
        progress: (Int) throws(ClientError) -> Void = { _ in }
    ) throws(ClientError) -> Answer {
        var patience = Patience()
        var hasSaid = false
        while true {
            do throws(ClientError) {
                return try sendOnce(request, by: other, expecting: expected, progress: progress)
            } catch {
                try pause(after: error, &patience, &hasSaid)
            }
        }
    }

    /// Sends a request once.
    func sendOnce(
        _ request: Request,
        by other: Transport? = nil,
        expecting expected: Set<Int> = [],
        progress: (Int) throws(ClientError) -> Void = { _ in },
        receive: (UnsafeRawBufferPointer) throws(ClientError) -> Void = { _ in }
    ) throws(ClientError) -> Answer {
        let answer = try (other ?? transport).send(request, progress: progress, receive: receive)
        hasAnswered = true
        guard answer.isSuccess || expected.contains(answer.status) else { throw .refused(ServerProblem(answer)) }
        return answer
    }

    /// Waits before the next try, and says the first time why; throws what is not tried again.
    func pause(after error: ClientError, _ patience: inout Patience, _ hasSaid: inout Bool) throws(ClientError) {
        guard error.mayPass else { throw error }
        // A wrong address does not become a right one.
        if case .unreachable = error, !hasAnswered { throw error }
        var retryAfter: Int?
        if case .refused(let problem) = error { retryAfter = problem.retryAfter }
        guard let wait = patience.failed(retryAfter: retryAfter) else { throw error }
        if !hasSaid { say("\(error) (trying again)") }
        hasSaid = true
        // There is no answer to wait for.
        if let earlyStop, cancelSignal == nil { throw .stopped(signal: earlyStop) }
        try stops.wait(atMost: wait)
        if let earlyStop, cancelSignal == nil { throw .stopped(signal: earlyStop) }
    }
}
