/// The address, the limits and the timeouts of a server.
package struct HTTPServerConfiguration: Sendable {
    /// An IPv4 or IPv6 literal, or `localhost`, which means 127.0.0.1.
    ///
    /// The server looks up no names.
    package var address: String
    /// The port.
    ///
    /// 0 takes a free port, which `HTTPDaemon.port` then shows.
    package var port: UInt16
    /// The certificate and key for TLS 1.2 and 1.3, or nil for clear text.
    ///
    /// A server with an identity accepts no clear text.
    ///
    /// Only the library can write into a TLS stream. So the server closes some connections without the response that
    /// they would get in clear text. The reasons are one connection too many, a head or a body that takes too long, a
    /// malformed `Content-Length`, and a request line without a space.
    package var tls: TLSIdentity?
    /// The maximum size of a request body in bytes.
    ///
    /// Larger bodies get 413.
    package var maximumBodyBytes: Int
    /// The memory in bytes for the buffered bodies of all unfinished requests.
    ///
    /// The largest holder of a full pool gets 503 for a body of its own; see `BodyPool`. Without the limit, memory use
    /// could reach `maximumBodyBytes` times the number of connections.
    package var maximumTotalBodyBytes: Int
    /// The maximum size in bytes of a request line and its header fields together.
    ///
    /// Larger heads get 431.
    package var maximumHeaderBytes: Int
    /// The maximum number of header fields of a request.
    ///
    /// Requests with more fields get 431.
    package var maximumHeaderFields: Int
    /// The maximum size of a request target in bytes.
    ///
    /// Longer targets get 414.
    package var maximumTargetBytes: Int
    /// The maximum number of open connections.
    ///
    /// Further connections get 503 and are closed. Up to 32 more sockets stay open for a moment, until their clients
    /// have read that response.
    package var maximumConnections: Int
    /// The maximum number of open connections from one IPv4 address or one IPv6 network of 64 bits, or 0 for no limit.
    ///
    /// Further connections get 429 and are closed. Behind a proxy, all connections come from the proxy's address.
    package var maximumConnectionsPerAddress: Int
    /// The time that a request head may take before the client gets 408, or zero for no limit.
    ///
    /// The time runs from the start of the connection. On a kept connection it runs from the first byte of the head,
    /// which the server notices after half of this time at the latest.
    package var headTimeout: Duration
    /// The time that a request body may take before the client gets 408, or zero for no limit.
    ///
    /// With `minimumBodyBytesPerSecond`, bytes that arrive extend the time again, up to the same value.
    package var bodyTimeout: Duration
    /// The minimum rate of a body over every period of `bodyTimeout`, in bytes per second.
    ///
    /// A large body on a slow line gets enough time, and a body that stalls does not, however fast it began. 0 makes
    /// `bodyTimeout` the limit for the whole body.
    package var minimumBodyBytesPerSecond: Int
    /// The time that a connection may stay open without a request, or zero for no limit.
    ///
    /// A connection whose request waits for `Exchange.respond(_:)` may wait without limit.
    package var idleTimeout: Duration
    /// The time in which a client may take no byte of a response before its connection is reset, or zero for no limit.
    ///
    /// The server notices a stalled client after half as much time again at the latest.
    package var sendTimeout: Duration
    /// The function that makes the response to a request that is refused before the handler sees it.
    ///
    /// The server calls it with the status and a sentence that gives the reason, and adds `Connection` and
    /// `Retry-After` to the result. The status is 400, 408, 413, 414, 417, 429, 431 or 503, or 500 when the handler's
    /// response cannot be sent.
    package var problem: @Sendable (_ status: Int, _ detail: String) -> Response
    /// The hook that the server calls before it sends a response of the handler, unless that response was prepared
    /// earlier.
    ///
    /// The hook may change the response and the exchange's metadata.
    package var onResponse: (@Sendable (_ metadata: inout (any Sendable)?, inout Response) -> Void)?
    /// The hook that the server calls once for every completed request, inside `HTTPDaemon.run()` or `stop()`.
    ///
    /// If the hook is nil, the server makes no records.
    package var onCompletion: (@Sendable (CompletedRequest) -> Void)?

    /// Creates a configuration with the defaults of a server on loopback.
    package init(address: String = "127.0.0.1", port: UInt16 = 0) {
        self.address = address
        self.port = port
        maximumBodyBytes = 32 << 20
        maximumTotalBodyBytes = 512 << 20
        maximumHeaderBytes = 16 << 10
        maximumTargetBytes = 8 << 10
        maximumConnections = 1_024
        maximumHeaderFields = 100
        maximumConnectionsPerAddress = 0
        headTimeout = .seconds(10)
        bodyTimeout = .seconds(20)
        minimumBodyBytesPerSecond = 1_024
        idleTimeout = .seconds(60)
        sendTimeout = .seconds(30)
        problem = { status, detail in
            Response(
                status: status,
                headers: [HeaderField("Content-Type", "text/plain; charset=utf-8")],
                body: .bytes(Array((detail + "\n").utf8))
            )
        }
    }

    /// True if the server speaks TLS.
    var isEncrypted: Bool { tls != nil }

    /// The number of bytes that the server reads and drops of a body that it has refused, before it resets the
    /// connection.
    var maximumDrainedBytes: Int { max(2 * min(maximumBodyBytes, Int.max / 2), 1 << 20) }

    /// Returns the response to a refused request, which is the last one on its connection.
    func response(to refusal: RequestRefusal) -> Response {
        var response = problem(refusal.status, refusal.detail)
        response.headers.append(HeaderField("Connection", "close"))
        // Both conditions are temporary (RFC 6585, 4; RFC 9110, 15.6.4).
        if refusal.status == 429 || refusal.status == 503 { response.headers.append(HeaderField("Retry-After", "1")) }
        return response
    }

    /// Prepares a response, or a 500 in place of a response that cannot be sent.
    func prepare(_ response: Response) -> PreparedResponse {
        if let prepared = PreparedResponse(response) { return prepared }
        let problem = problem(500, "The response could not be sent.")
        guard let prepared = PreparedResponse(problem) ?? PreparedResponse(Response(status: 500)) else {
            preconditionFailure("There is no memory for a response.")
        }
        return prepared
    }
}

/// The certificate and the private key of a server that speaks TLS.
package struct TLSIdentity: Sendable {
    /// The certificate, followed by those of its issuers in order, in PEM (RFC 7468).
    package var certificateChain: [UInt8]
    /// The certificate's private key in PEM, without a password.
    package var privateKey: [UInt8]

    /// Creates an identity.
    ///
    /// A server that starts with the identity checks that both parts are valid and belong together.
    package init(certificateChain: [UInt8], privateKey: [UInt8]) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}
