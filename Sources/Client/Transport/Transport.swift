internal import CCurl
internal import System

/// A connection to a server that carries one request at a time.
///
/// The calling thread drives the connection and delivers stop signals meanwhile.
final class Transport {
    /// The interval at which the idle timeout is checked.
    private static let checkInterval: Duration = .milliseconds(500)

    /// The largest body that is sent without `Expect: 100-continue`, in bytes.
    private static let smallBody = 1 << 20

    private let connection: CurlConnection
    private let address: ServerAddress
    private let token: String?
    private let signals: SignalSource

    /// - Parameters:
    ///   - address: The address of the server.
    ///   - token: The bearer token of the caller.
    ///   - caFile: The path of a PEM file with certificates to trust instead of the system's.
    ///   - agent: The value of the `User-Agent` header (RFC 9110 §10.1.5).
    ///   - signals: The signals to deliver while waiting.
    /// - Throws: `noLibrary` if there is no libcurl.
    init(
        _ address: ServerAddress,
        token: String?,
        caFile: String?,
        agent: String,
        signals: SignalSource
    ) throws(ClientError) {
        (self.address, self.token, self.signals) = (address, token, signals)
        connection = try CurlConnection(agent: agent, caFile: caFile)
    }

    /// Sends a request and returns the response, whatever its status.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - progress: Called repeatedly with the number of bytes of the body that have been sent.
    ///   - receive: Called with each part of a successful response's body if the request is streamed.
    /// - Returns: The response, with its body unless `receive` got it.
    /// - Throws: `unreachable`, `disconnected`, `untrusted`, and the errors of `receive` and of the signal handler.
    func send(
        _ request: OutgoingRequest,
        progress: (Int) throws(ClientError) -> Void = { _ in },
        receive: (UnsafeRawBufferPointer) throws(ClientError) -> Void = { _ in }
    ) throws(ClientError) -> IncomingResponse {
        let transfer = try begin(request)
        // Every error below must end the transfer.
        defer { transfer.cancel() }
        var body: [UInt8] = []
        var (traffic, lastTraffic) = (transfer.traffic, MonotonicTime.now)
        while !transfer.isFinished {
            let hasSignal = transfer.step(alsoWaitingFor: signals.raw, timeout: Self.checkInterval)
            try transfer.takeBody { part throws(ClientError) in
                if request.isStreamed, (200..<300).contains(transfer.status) { return try receive(part) }
                guard body.count + part.count <= request.maximumResponseBytes else {
                    throw .invalidResponse(
                        "A response of \(address) is larger than \(request.maximumResponseBytes, counting: "byte")."
                    )
                }
                body.append(contentsOf: part)
            }
            if hasSignal { try signals.deliver() }
            try progress(transfer.sent)
            let now = MonotonicTime.now
            // libcurl's own limit (CURLOPT_LOW_SPEED_TIME) does not fit. An idle event stream sends one byte in 15
            // seconds, which libcurl rounds down to zero bytes per second.
            if transfer.traffic != traffic {
                (traffic, lastTraffic) = (transfer.traffic, now)
            } else if !transfer.isFinished, now.since(lastTraffic) > request.idleTimeout {
                throw .disconnected("Received nothing from \(address) for \(request.idleTimeout)")
            }
        }
        try check(transfer)
        var response = IncomingResponse(status: transfer.status, head: transfer.head)
        response.body = body
        return response
    }

    private func begin(_ request: OutgoingRequest) throws(ClientError) -> CurlTransfer {
        var headers = request.headers
        // The token goes to this server only, because redirects are not followed.
        if let token { headers.append("Authorization: Bearer \(token)") }
        // Older versions of libcurl send `Expect: 100-continue` with every body, and wait a second for servers that
        // ignore it (RFC 9110 §10.1.1). That is worth it for large bodies only.
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
        switch transfer.result {
        case .completed: return
        case .unreachable:
            throw .unreachable(
                "\(address) cannot be reached: \(transfer.reason). Start it with `sandglass serve`, or name another "
                    + "server with --server."
            )
        case .disconnected: throw .disconnected("The connection to \(address) was lost: \(transfer.reason)")
        case .untrusted: throw .untrusted("\(address) is not trusted: \(transfer.reason)")
        case .fileChanged: throw .local("A file became shorter while it was sent. Retry when it no longer changes.")
        case .failed: throw .invalidResponse("The request to \(address) failed: \(transfer.reason)")
        }
    }
}

/// A libcurl connection that is kept alive between requests and carries one request at a time.
final class CurlConnection {
    /// The timeout for making a connection.
    private static let connectSeconds = 15

    /// The handle that keeps the connection and can wait for another descriptor as well (libcurl-multi(3)).
    let multi: UnsafeMutableRawPointer
    /// The handle of the request (libcurl-easy(3)).
    let easy: UnsafeMutableRawPointer
    private let agent: String
    private let caFile: String?
    /// The buffer for libcurl's error messages.
    ///
    /// libcurl uses the buffer as long as the handle exists (CURLOPT_ERRORBUFFER(3)).
    private let errorMessage: UnsafeMutablePointer<CChar>

    /// - Parameters:
    ///   - agent: The value of the `User-Agent` header (RFC 9110 §10.1.5).
    ///   - caFile: The path of a PEM file with certificates to trust instead of the system's.
    /// - Throws: `noLibrary` if there is no libcurl.
    init(agent: String, caFile: String?) throws(ClientError) {
        if let reason = sandglass_curl_open() { throw .noLibrary(String(cString: reason)) }
        let noMemory = ClientError.local("There is no memory for a connection.")
        guard let multi = sandglass_curl_multi_init() else { throw noMemory }
        guard let easy = sandglass_curl_easy_init() else {
            sandglass_curl_multi_cleanup(multi)
            throw noMemory
        }
        (self.multi, self.easy, self.agent, self.caFile) = (multi, easy, agent, caFile)
        errorMessage = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorMessage.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        sandglass_curl_easy_cleanup(easy)
        sandglass_curl_multi_cleanup(multi)
        errorMessage.deallocate()
    }

    /// Sets the options that are the same for all requests.
    func prepare() throws(ClientError) {
        errorMessage.pointee = 0
        try check(sandglass_curl_set_error_buffer(easy, errorMessage))
        try set(CURLOPT_USERAGENT, agent)
        try set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        // No signal handlers and no SIGALRM: the program handles signals itself.
        try set(CURLOPT_NOSIGNAL, 1)
        // A redirect must not send the headers to another server, and the path is already complete.
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        try set(CURLOPT_CONNECTTIMEOUT, Self.connectSeconds)
        if let caFile {
            try set(CURLOPT_CAINFO, caFile)
            try set(CURLOPT_CAPATH, nil)
        }
    }

    func set(_ option: CURLoption, _ value: Int) throws(ClientError) {
        try check(sandglass_curl_set_long(easy, option, value))
    }

    func set(_ option: CURLoption, _ text: String?) throws(ClientError) {
        try check(sandglass_curl_set_text(easy, option, text))
    }

    /// Throws the error of a failed libcurl call that prepares a request.
    func check(_ code: CURLcode) throws(ClientError) {
        guard code == CURLE_OK else { throw .local("libcurl rejects the request: \(reason(of: code)).") }
    }

    /// Returns libcurl's explanation of a failure, for people.
    func reason(of code: CURLcode) -> String {
        String(cString: errorMessage.pointee == 0 ? sandglass_curl_easy_strerror(code) : UnsafePointer(errorMessage))
    }
}
