internal import Glibc
internal import System

/// A client's connection, from the moment MHD accepts it until MHD closes it.
final class Connection {
    /// The activity on a connection, which selects the timeout that applies.
    enum Phase {
        /// The server waits for the head of a request, or has received a part of it.
        case head
        /// The body of a request is arriving.
        case body
        /// The handler has the request, without a time limit.
        case handling
        /// The last response was written without MHD, and the server drops the rest of the body.
        case draining
        /// The server is sending a response.
        case sending
        /// A request is complete, and another one may follow.
        case idle
    }

    /// The C library's connection.
    let handle: OpaquePointer
    /// The descriptor.
    ///
    /// Its number is not reused before MHD reports the end of the connection.
    let socket: Int32
    /// The client's address, as a literal.
    let clientAddress: String
    /// The client's network, which the limit per address counts.
    var network: SocketAddress.Network?

    private(set) var phase = Phase.head
    /// The start of the phase, or the last time at which the client took bytes of a response.
    private(set) var phaseStart: MonotonicTime

    /// The request in progress, from the end of its request line to its completion.
    var request: RequestState?
    /// The number of requests that have begun on this connection.
    var requestCount = 0
    /// The round of the server in which the last request completed.
    var lastCompletionRound = 0

    /// The memory in bytes that the current body holds in the pool of the server.
    var bodyBytes = 0
    /// The time at which the last piece of the current body arrived.
    var lastBodyArrival = MonotonicTime(nanoseconds: 0)
    /// The time by which more of the current body must arrive.
    var bodyDeadline = MonotonicTime(nanoseconds: .max)
    /// The nanoseconds that were left until `bodyDeadline` when the body was paused.
    var remainingBodyNanoseconds: UInt64 = 0

    /// True if the response's stream has nothing to send.
    var streamIsIdle = false
    /// True if, in addition, the client had taken all sent bytes at the last check.
    var streamIsDrained = false
    /// The number of bytes that the client had acknowledged at the last check.
    var acknowledgedBytes: UInt64 = 0

    /// The response that was sent without the handler and has not been reported yet.
    var earlyResponse: ResponseSummary?
    /// The response in place of one of MHD's error pages.
    ///
    /// MHD needs the response until MHD has sent it.
    var errorPage: PreparedResponse?
    /// True if the client may still be sending when MHD closes.
    ///
    /// The rest must then be read, or the client loses the response.
    var lingers = false
    /// True if no further response may be written, because the connection is about to close.
    var isClosing = false
    /// True if the server has shut the connection down, for MHD to close it.
    private(set) var isAbandoned = false

    /// The table that this connection belongs to.
    ///
    /// The table outlives MHD's daemon.
    unowned let table: ConnectionTable

    init(handle: OpaquePointer, socket: Int32, clientAddress: String, table: ConnectionTable) {
        self.handle = handle
        self.socket = socket
        self.clientAddress = clientAddress
        self.table = table
        phaseStart = table.now
    }

    /// Shuts the connection down, so that MHD closes it without a further response.
    ///
    /// - Parameter resets: Whether to reset a client that still sends, or does not read. Otherwise the kernel keeps
    ///   trying for minutes to deliver the bytes that it holds.
    func abandon(resets: Bool = false) {
        isClosing = true
        isAbandoned = true
        if resets { resetOnClose() }
        shutdown(socket, Int32(SHUT_RDWR))
    }

    /// Makes the client see that its response is incomplete.
    func resetOnClose() {
        lingers = false
        setResetOnClose(socket)
    }

    func enter(_ phase: Phase, at time: MonotonicTime) {
        self.phase = phase
        phaseStart = time
    }

    /// Ends an idle time of the response's stream.
    ///
    /// Idle time does not count as time in which the client takes nothing.
    func streamHasMore() {
        streamIsIdle = false
        guard streamIsDrained else { return }
        streamIsDrained = false
        enter(.sending, at: MonotonicTime.now)
    }

    /// Makes the kernel send the head of a response, which it holds back to join it with later bytes.
    func flush() {
        var on: Int32 = 1
        var off: Int32 = 0
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_CORK, &off, socklen_t(MemoryLayout<Int32>.size))
    }
}
