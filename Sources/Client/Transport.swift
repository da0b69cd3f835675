internal import Reactor

/// One connection to a server, and one request at a time.
///
/// It is the calling thread that drives it, and that thread hears of stop requests meanwhile.
final class Transport {
    /// How often the silence of the other side is looked at.
    private static let look: Duration = .milliseconds(500)

    /// A body that is sent without asking first.
    private static let smallBody = 1 << 20

    private let connection: CurlConnection
    private let address: ServerAddress
    private let token: String?
    private let stops: StopRequests

    /// - Parameters:
    ///   - address: where the server is.
    ///   - token: what it knows the caller by.
    ///   - caFile: PEM certificates to trust instead of the system's.
    ///   - agent: what the server is told about this program (RFC 9110 §10.1.5).
    ///   - stops: what a wait hears of.
    /// - Throws: that there is no libcurl.
    init(
        _ address: ServerAddress,
        token: String?,
        caFile: String?,
        agent: String,
        stops: StopRequests
    ) throws(ClientError) {
        (self.address, self.token, self.stops) = (address, token, stops)
        connection = try CurlConnection(agent: agent, caFile: caFile)
    }

    /// Sends a request and gives its answer, whatever its status.
    ///
    /// - Parameters:
    ///   - request: what to send.
    ///   - progress: told how many bytes of the request's body have been sent, again and again.
    ///   - receive: takes the parts of a successful answer's body as they come, if the request says so.
    /// - Returns: the answer, with its body if that was not to be taken part by part.
    /// - Throws: `unreachable`, `brokenOff` and `untrusted`, and what `receive` and a stop request throw.
    func send(
        _ request: Request,
        progress: (Int) throws(ClientError) -> Void = { _ in },
        receive: (UnsafeRawBufferPointer) throws(ClientError) -> Void = { _ in }
    ) throws(ClientError) -> Answer {
        let transfer = try begin(request)
        // Whatever is thrown meanwhile.
        defer { transfer.cancel() }
        var body: [UInt8] = []
        var (traffic, lastTraffic) = (transfer.traffic, MonotonicTime.now)
        while !transfer.isOver {
            let hasSignal = transfer.step(hearing: stops.raw, atMost: Self.look)
            try transfer.takeBody { part throws(ClientError) in
                if request.isStreamed, (200..<300).contains(transfer.status) { return try receive(part) }
                guard body.count + part.count <= request.mostBytes else {
                    throw .misunderstood("An answer of \(address) has more than \(request.mostBytes) bytes.")
                }
                body.append(contentsOf: part)
            }
            if hasSignal { try stops.deliver() }
            try progress(transfer.sent)
            let now = MonotonicTime.now
            // Not libcurl's own limit (CURLOPT_LOW_SPEED_TIME): one byte in 15 seconds, as a run's events have when nothing
            // happens, is no bytes a second to it.
            if transfer.traffic != traffic {
                (traffic, lastTraffic) = (transfer.traffic, now)
            } else if !transfer.isOver, now.since(lastTraffic) > request.silence {
                throw .brokenOff("Nothing came from \(address) for \(request.silence)")
            }
        }
        try check(transfer)
        var answer = Answer(status: transfer.status, head: transfer.head)
        answer.body = body
        return answer
    }

    private func begin(_ request: Request) throws(ClientError) -> CurlTransfer {
        var headers = request.headers
        // It goes to this server alone, for redirects are not followed.
        if let token { headers.append("Authorization: Bearer \(token)") }
        // Older versions of libcurl ask before every body whether they may send it, and wait a second for those who do not answer
        // that (RFC 9110 §10.1.1). It is worth it for what is large.
        if let count = request.body.count, count <= Self.smallBody { headers.append("Expect:") }
        return try CurlTransfer(
            on: connection,
            method: request.method,
            url: address.description + request.target,
            headers: headers,
            body: request.body
        )
    }

    private func check(_ transfer: CurlTransfer) throws(ClientError) {
        switch transfer.ending {
        case .answered: return
        case .unreachable: throw .unreachable("\(address) cannot be reached: \(transfer.reason)")
        case .brokenOff: throw .brokenOff("The connection to \(address) broke off: \(transfer.reason)")
        case .untrusted: throw .untrusted("\(address) is not trusted: \(transfer.reason)")
        case .fileChanged: throw .local("A file became shorter while it was read.")
        case .failed: throw .misunderstood("\(address) was not understood: \(transfer.reason)")
        }
    }
}
