/// Where a server listens and how much it takes from a client.
public struct HTTPServerConfiguration: Sendable {
    /// An IPv4 or IPv6 literal, or `localhost`, which is 127.0.0.1.
    ///
    /// No name is looked up.
    public var address: String
    /// 0 takes a free port; `HTTPServer.port` says which.
    public var port: UInt16
    /// The most bytes of a request's body; more is answered with 413.
    public var maximumBodyBytes: Int
    /// The most bytes of a request's line and headers together; more is answered with 431.
    public var maximumHeaderBytes: Int
    /// The most bytes of a request's target; more is answered with 414.
    public var maximumTargetBytes: Int
    /// The most connections at a time; further ones wait in the kernel's queue.
    public var maximumConnections: Int
    /// How long a connection may be silent before it is closed, in seconds; 0 is for ever.
    ///
    /// A connection whose request waits for `Exchange.respond(_:)` is not silent.
    public var idleTimeoutSeconds: Int
    /// What a client is told when its request is refused before the handler sees it.
    ///
    /// Called with the status (400, 413, 414, 431, or 500 when an answer of the handler's cannot be
    /// sent) and a sentence that says why.
    public var problem: @Sendable (_ status: Int, _ detail: String) -> Response
    /// Called once for every request that is over, inside `HTTPServer.run()` or `stop()`; nil costs nothing.
    public var onCompletion: (@Sendable (CompletedRequest) -> Void)?

    /// Creates a configuration with the defaults of a server on loopback.
    public init(address: String = "127.0.0.1", port: UInt16 = 0) {
        self.address = address
        self.port = port
        maximumBodyBytes = 32 << 20
        maximumHeaderBytes = 16 << 10
        maximumTargetBytes = 8 << 10
        maximumConnections = 1_024
        idleTimeoutSeconds = 60
        problem = { status, detail in
            Response(
                status: status,
                headers: [HeaderField("Content-Type", "text/plain; charset=utf-8")],
                body: .bytes(Array((detail + "\n").utf8))
            )
        }
    }
}
