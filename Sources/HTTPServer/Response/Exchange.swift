/// One request and its response.
///
/// An exchange belongs to the thread of its server. If the handler returns without a response, the exchange waits
/// without limit until `respond(_:)` is called or the client hangs up.
package final class Exchange {
    private enum State {
        /// The handler is running.
        case handling
        /// The handler has returned without a response, and the connection is suspended.
        case waiting
        /// The client hung up while the exchange waited. `onDisconnect` is running, or a response will follow promptly.
        case hungUp
        /// The exchange has its response, or no client to send one to.
        case over
    }

    /// The request.
    package internal(set) var request: Request
    /// The closure that the server calls once when the client hangs up before the response.
    ///
    /// A client that only closed its sending side looks the same but still reads. It gets a response that is sent in
    /// this call. Without a response the server closes the connection, unless `respondsPromptly` is true.
    package var onDisconnect: (() -> Void)?
    /// True if a response will follow promptly, so that the server keeps the connection when the client hangs up.
    ///
    /// The handler may set this property at any time, also inside `onDisconnect`.
    package var respondsPromptly = false
    /// A value of the handler's choice, which ``CompletedRequest/metadata`` contains when the request is complete.
    package var metadata: (any Sendable)?
    /// The client's IPv4 or IPv6 address as a literal without a port: `192.0.2.7`, `2001:db8::7`.
    ///
    /// An IPv4 client of a dual-stack socket has an IPv4 address here too.
    package var clientAddress: String { connection.clientAddress }

    /// Header fields that the response gets beside its own.
    ///
    /// A prepared response does not get them.
    package var headers: [HeaderField] = []

    /// The name of the principal that sent the request, if the server's owner has authenticated it.
    ///
    /// The memory of all bodies is shared by principal, and by address between requests of one principal.
    package var principal = ""
    /// The server's owner's conclusions from the head of a request with a body.
    package var acceptedHead: AnyObject?

    /// The value of Content-Length in bytes, or nil if the request has none.
    package internal(set) var contentLength: Int?
    /// The sink that took the body, if the body was not kept in memory.
    package internal(set) var sink: (any BodySink)?
    /// The number of bytes that the sink has accepted.
    package internal(set) var streamedBytes = 0

    /// The connection.
    ///
    /// Its C handle is valid until the exchange is over.
    let connection: Connection
    /// A summary of the response, once there is one.
    private(set) var response: ResponseSummary?
    private let connections: ConnectionTable
    private var state = State.handling
    /// The stream that produces the body of the response, if it has one.
    private var stream: ResponseStream?
    /// True if the connection was suspended for this exchange.
    private(set) var wasSuspended = false

    init(request: Request, connection: Connection, connections: ConnectionTable) {
        self.request = request
        self.connection = connection
        self.connections = connections
    }

    /// True if the exchange still waits for a response.
    package var isOpen: Bool {
        switch state {
        case .handling, .waiting, .hungUp: true
        case .over: false
        }
    }

    // MARK: Responding

    /// Responds to the request, inside the handler or at any later time.
    ///
    /// Only the first call has an effect. A call after the client hung up has none. If the call is made outside
    /// `HTTPDaemon.run()`, the next `run()` sends the response; `HTTPDaemon.timeout` is zero until then.
    package func respond(_ response: Response) {
        guard isOpen else { return }
        var response = response
        if !headers.isEmpty { response.headers += headers }
        connections.configuration.onResponse?(&metadata, &response)
        respond(connections.configuration.prepare(response))
    }

    /// Responds as `respond(_:)` does, with a response that was prepared earlier.
    ///
    /// `headers` cannot be added to it.
    package func respond(_ response: PreparedResponse) {
        guard isOpen else { return }
        let mustResume = wasSuspended
        end()
        self.response = ResponseSummary(response)
        MicroHTTPD.queue(response, on: connection.handle)
        connections.queued(connection)
        if mustResume { connections.suspended.resumeResponse(of: self) }
    }

    /// Responds as `respond(_:)` does, with a body that is produced while it is sent.
    ///
    /// A client that hangs up while there is nothing to send is disconnected, also if it only closed its sending side.
    /// It can see that the body is incomplete: the last chunk is not sent.
    ///
    /// - Parameters:
    ///   - head: The status and the header fields. Its body is ignored.
    ///   - stream: The body, for this response only. It is not read for HEAD, after which the connection is closed.
    package func respond(_ head: Response, streaming stream: ResponseStream) {
        guard isOpen else { return }
        var head = head
        head.body = .bytes([])
        if !headers.isEmpty { head.headers += headers }
        connections.configuration.onResponse?(&metadata, &head)
        let isToHead = request.method == "HEAD"
        guard let prepared = PreparedResponse(head, streaming: stream, isToHead: isToHead) else {
            respond(connections.configuration.prepare(head))
            return stream.end()
        }
        self.stream = stream
        stream.begin(for: self)
        respond(prepared)
    }

    /// Delivers the piece of the body again that its sink could not take.
    ///
    /// The call has no effect if no piece waits. If it is made outside `HTTPDaemon.run()`, the next `run()` delivers
    /// the piece.
    package func resumeBody() { connections.resumeBody(of: self) }

    // MARK: The body

    /// Removes the body from the request and returns it, so that its memory does not last as long as the exchange.
    ///
    /// The memory stays reserved until ``releaseBody()``.
    package func takeBody() -> [UInt8] {
        let body = request.body
        request.body = []
        return body
    }

    /// Returns the memory of the body to the pool of all bodies.
    ///
    /// The end of the exchange does the same.
    package func releaseBody() {
        guard isOpen else { return }
        connections.releaseBodyBytes(of: connection)
    }

    // MARK: Progress

    /// Marks the exchange as waiting if the handler has not responded, and returns whether to suspend the connection.
    func handlerReturned() -> Bool {
        guard case .handling = state else { return false }
        state = .waiting
        wasSuspended = true
        return true
    }

    /// Handles the hang-up of the client.
    func clientHungUp() {
        guard stream == nil else { return cutStream() }
        guard case .waiting = state else { return }
        state = .hungUp
        onDisconnect?()
        guard case .hungUp = state, !respondsPromptly else { return }
        end()
        connections.suspended.resumeResponse(of: self)
    }

    /// Ends the exchange.
    ///
    /// Without a response before, the client gets none.
    func end() {
        state = .over
        // The closure often holds this exchange.
        onDisconnect = nil
    }

    /// Completes the request.
    func complete() {
        end()
        guard let stream else { return }
        response = response.map { ResponseSummary(status: $0.status, bodyBytes: stream.sentBytes) }
        self.stream = nil
        stream.end()
    }

    // MARK: The stream

    /// True if the response is a stream.
    var hasStream: Bool { stream != nil }

    /// Suspends the connection until the stream is woken.
    func suspendStream() { connections.suspended.suspendStream(of: self) }

    /// Resumes the connection, whose stream has more bytes or has ended.
    func resumeStream() { connections.suspended.resumeStream(of: self) }

    /// Closes the connection, so that the client sees that the body is incomplete.
    func streamFailed() {
        // The body of an HTTP/1.0 response ends with the connection. Only a reset shows that it is incomplete.
        if request.version == "HTTP/1.0" { connection.resetOnClose() }
        connections.suspended.streamFailed(of: self)
    }

    /// Cuts the stream, because the client hung up or the server stops while the stream has nothing to send.
    func cutStream() { stream?.cut() }
}
