/// Where a server listens and how much it takes from a client.
public struct HTTPServerConfiguration: Sendable {
    /// An IPv4 or IPv6 literal, or `localhost`, which is 127.0.0.1.
    ///
    /// No name is looked up.
    public var address: String
    /// 0 takes a free port; `HTTPServer.port` says which.
    public var port: UInt16
    /// With an identity the server speaks TLS, 1.2 or 1.3, and nothing else; nil is clear text.
    ///
    /// Into a TLS stream nothing can be written but by way of the library. So clients are closed without an answer where they
    /// would get one in clear text: when they are one too many, when a head or a body takes too long, and after a malformed
    /// `Content-Length` or a request line without a space.
    public var tls: TLSIdentity?
    /// The most bytes of a request's body; more is answered with 413.
    public var maximumBodyBytes: Int
    /// The most bytes of all bodies together that have come and whose requests are not answered yet; who sends more is
    /// answered with 503.
    ///
    /// Without it the connections' number would multiply what one body may have.
    public var maximumBodyBytesInAll: Int
    /// The most bytes of a request's line and headers together; more is answered with 431.
    public var maximumHeaderBytes: Int
    /// The most header fields of a request; more is answered with 431.
    public var maximumHeaderFields: Int
    /// The most bytes of a request's target; more is answered with 414.
    public var maximumTargetBytes: Int
    /// The most connections at a time; a further one is answered with 503 and closed.
    ///
    /// Up to 32 sockets more are open for a moment, until their clients have read such an answer.
    public var maximumConnections: Int
    /// The most connections at a time from one IPv4 address or one IPv6 network of 64 bits; a further one is answered with 429
    /// and closed.
    ///
    /// 0 is no limit of its own.
    ///
    /// Behind a proxy all connections come from its address.
    public var maximumConnectionsPerAddress: Int
    /// How long a request's head may take, from the connection's beginning or, on one that was kept, from the head's first
    /// byte; then it is answered with 408.
    ///
    /// Zero is for ever.
    ///
    /// On a kept connection the first byte is noticed after half that time at the latest.
    public var headTimeout: Duration
    /// How long a body may take, beside the time that `minimumBodyBytesPerSecond` gives for what has come of it; then it is
    /// answered with 408.
    ///
    /// Zero is for ever.
    public var bodyTimeout: Duration
    /// How fast a body has to come on average when `bodyTimeout` is over: a large one on a slow line has its time, one
    /// that stalls has not.
    ///
    /// 0 makes `bodyTimeout` the time for the whole.
    public var minimumBodyBytesPerSecond: Int
    /// How long a connection is kept without a request before it is closed.
    ///
    /// Zero is for ever.
    ///
    /// A connection whose request waits for `Exchange.respond(_:)` waits as long as it likes.
    public var idleTimeout: Duration
    /// How long a client may take no byte of an answer before its connection is reset.
    ///
    /// Zero is for ever.
    ///
    /// It is noticed after half as much more at the latest.
    public var sendTimeout: Duration
    /// What a client is told when its request is refused before the handler sees it.
    ///
    /// Called with the status (400, 408, 413, 414, 417, 429, 431, 503, or 500 when an answer of the handler's cannot be
    /// sent) and a sentence that says why. `Connection` and `Retry-After` are added.
    public var problem: @Sendable (_ status: Int, _ detail: String) -> Response
    /// Called before an answer of the handler's is sent that was not prepared earlier: it may add to the answer, and to the
    /// exchange's note.
    public var onAnswer: (@Sendable (_ note: inout (any Sendable)?, inout Response) -> Void)?
    /// Called once for every request that is over, inside `HTTPServer.run()` or `stop()`; nil costs nothing.
    public var onCompletion: (@Sendable (CompletedRequest) -> Void)?

    /// Creates a configuration with the defaults of a server on loopback.
    public init(address: String = "127.0.0.1", port: UInt16 = 0) {
        self.address = address
        self.port = port
        maximumBodyBytes = 32 << 20
        maximumBodyBytesInAll = 512 << 20
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

    /// Whether what is written has to go through TLS.
    var isEncrypted: Bool { tls != nil }

    /// What a client is told whose request is refused, as the last answer on its connection.
    func response(to refusal: RequestRefusal) -> Response {
        var response = problem(refusal.status, refusal.detail)
        response.headers.append(HeaderField("Connection", "close"))
        // Both pass by themselves (RFC 6585, 4; RFC 9110, 15.6.4).
        if refusal.status == 429 || refusal.status == 503 { response.headers.append(HeaderField("Retry-After", "1")) }
        return response
    }
}
