/// One request and its answer.
///
/// Belongs to the thread of its server. An exchange that is not answered when the handler returns waits,
/// for as long as it takes, until `respond(_:)` is called or the client hangs up.
public final class Exchange {
    private enum State {
        /// The handler is being called.
        case handling
        /// The handler has returned without an answer; MHD leaves the connection alone.
        case waiting
        /// The client hung up while we waited, and `onDisconnect` is being called, or the answer comes in a moment.
        case hungUp
        /// It was answered, or there is nobody left to answer.
        case over
    }

    /// What is asked.
    public internal(set) var request: Request
    /// Called, at most once, when the client hung up before it was answered.
    ///
    /// A client that only closed its sending side looks the same and still reads: an answer given
    /// inside this call reaches it. Without one the connection is closed, unless `answersSoon` is set.
    public var onDisconnect: (() -> Void)?
    /// Whether the answer comes in a moment, so that the connection is kept for it although the client hung up.
    ///
    /// May be set at any time, also inside `onDisconnect`.
    public var answersSoon = false
    /// Whatever the handler wants to find in ``CompletedRequest/note`` when this request is over.
    public var note: (any Sendable)?
    /// The client's IPv4 or IPv6 address as a literal, without a port: `192.0.2.7`, `2001:db8::7`.
    ///
    /// An IPv4 client of a socket for both families has an IPv4 address here too.
    public var clientAddress: String { connection.clientAddress }

    /// Header fields that the answer gets beside its own, but for one that was prepared.
    public var headers: [HeaderField] = []

    /// How long its body is said to be; nil if that is not said.
    public internal(set) var announcedBytes: Int?
    /// What has taken its body in, if that was not kept in memory.
    public internal(set) var sink: (any BodySink)?
    /// The bytes that have gone there.
    public internal(set) var streamedBytes = 0

    /// Its connection; the C library's is valid until `over`.
    let connection: Connection
    /// The answer, once there is one.
    private(set) var answer: GivenAnswer?
    private let connections: Connections
    private var state = State.handling
    /// The answer's body, if it is made while it is sent.
    private var stream: ResponseStream?
    /// Whether its connection was suspended.
    private(set) var hasWaited = false

    init(request: Request, connection: Connection, connections: Connections) {
        self.request = request
        self.connection = connection
        self.connections = connections
    }

    /// Whether an answer is still awaited.
    public var isOpen: Bool {
        switch state {
        case .handling, .waiting, .hungUp: true
        case .over: false
        }
    }

    /// Answers, inside the handler or at any later time.
    ///
    /// Only the first call counts. After the client hung up a call does nothing. Outside
    /// `HTTPServer.run()` the answer is sent by the next call of it; `HTTPServer.timeout` is zero until then.
    public func respond(_ response: Response) {
        guard isOpen else { return }
        var response = response
        if !headers.isEmpty { response.headers += headers }
        connections.configuration.onAnswer?(&note, &response)
        respond(connections.prepare(response))
    }

    /// Answers as `respond(_:)` does, with what was made before, to which `headers` cannot be added any more.
    public func respond(_ response: PreparedResponse) {
        guard isOpen else { return }
        let hadReturned = hasWaited
        end()
        answer = GivenAnswer(status: response.status, bodyBytes: response.bodyBytes)
        MicroHTTPD.queue(response, on: connection.handle)
        connections.answered(connection)
        if hadReturned { connections.resume(self) }
    }

    /// Answers as `respond(_:)` does, with a body that is made while it is sent.
    ///
    /// A client that hangs up, also one that only closes its sending side, while there is nothing to be sent is let go. What it has
    /// missed shows: the end of a chunked body is not sent.
    ///
    /// - Parameters:
    ///   - head: Status and header fields; its body does not count.
    ///   - stream: The body, of this answer alone. It is not read for HEAD, after which the connection is closed.
    public func respond(_ head: Response, streaming stream: ResponseStream) {
        guard isOpen else { return }
        var head = head
        head.body = .bytes([])
        if !headers.isEmpty { head.headers += headers }
        connections.configuration.onAnswer?(&note, &head)
        let isToHead = request.method == "HEAD"
        guard let prepared = PreparedResponse(head, streaming: stream, isToHead: isToHead) else {
            respond(connections.prepare(head))
            return stream.end()
        }
        self.stream = stream
        stream.begin(for: self)
        respond(prepared)
    }

    /// Resumes a connection whose stream has more, or is over.
    func resumeStream() { connections.resumeStream(self) }

    /// Lets MHD leave the connection alone until the stream is woken.
    func streamWaits() { connections.streamWaits(self) }

    /// Lets a client that could not tell otherwise see that a body is cut.
    func streamFails() {
        // The end of an HTTP/1.0 connection looks like the end of the body.
        if request.version == "HTTP/1.0" { connection.resetsAtClose() }
        connections.streamFails(self)
    }

    /// Takes note that the client hung up, or that the server stops, while its stream had nothing.
    func cutStream() { stream?.cut() }

    /// Whether its answer is a stream.
    var hasStream: Bool { stream != nil }

    /// The request is over.
    func complete() {
        end()
        guard let stream else { return }
        answer = answer.map { GivenAnswer(status: $0.status, bodyBytes: stream.sentBytes) }
        self.stream = nil
        stream.end()
    }

    /// Has the piece of the body come again for which its sink had no room.
    ///
    /// Of no effect if none waits. Outside `HTTPServer.run()` that happens in the next call of it.
    public func continueBody() { connections.unpause(self) }

    /// Takes note that the handler returned; true if the connection has to be suspended.
    func handlerReturned() -> Bool {
        guard case .handling = state else { return false }
        state = .waiting
        hasWaited = true
        return true
    }

    /// Takes note that the client hung up.
    func clientHungUp() {
        guard stream == nil else { return cutStream() }
        guard case .waiting = state else { return }
        state = .hungUp
        onDisconnect?()
        guard case .hungUp = state, !answersSoon else { return }
        end()
        connections.resume(self)
    }

    /// Gives up, without an answer and without a word: the server stops.
    func end() {
        state = .over
        // The closure often holds this exchange.
        onDisconnect = nil
    }
}
