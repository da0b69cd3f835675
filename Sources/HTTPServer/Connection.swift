internal import Glibc

/// A client's connection, from MHD's first word about it to its last.
final class Connection {
    /// What the server and the client are doing, which decides how long it may take.
    enum Phase {
        /// A request's head is awaited, or has come in part.
        case head
        /// A request's body is coming.
        case body
        /// The handler has the request, for as long as it likes.
        case handled
        /// The last answer was written without MHD, and what still comes of the body is dropped.
        case draining
        /// An answer is being written.
        case sending
        /// A request has been answered, and another may come.
        case idle
    }

    /// The C library's connection.
    let handle: OpaquePointer
    /// Its number stays its own until MHD has told us of the end.
    let socket: Int32
    /// The client's address, as a literal.
    let clientAddress: String

    private(set) var phase = Phase.head
    /// When the phase began, or when the client last took bytes of an answer.
    private(set) var since: Duration
    /// The bytes of the current body that have come.
    var bodyBytes = 0
    /// Whether the answer has nothing that could be sent at the moment.
    var streamWaits = false
    /// Whether, besides, the client had taken all there was, at the last look.
    var isDrained = false
    /// The bytes of it that went on to a sink.
    var passedBytes = 0
    /// How much of its time the client had used when its body was paused.
    var pausedAfter = Duration.zero
    /// The bytes that the client had acknowledged at the last look.
    var acknowledgedBytes: UInt64 = 0
    /// The request that is on it, from the end of its line to its end.
    var intake: Intake?
    /// How many requests have been on it.
    var requests = 0
    /// The round of the server in which the last of them ended.
    var lastRound = 0
    /// What was answered without MHD and has not been told yet.
    var earlyAnswer: GivenAnswer?
    /// MHD's own page in our words, which MHD must find until it has sent it.
    var page: PreparedResponse?
    /// Whether the client may still be sending when MHD closes, so that what comes has to be read or the answer is lost.
    var lingers = false
    /// Whether nothing more is said on it.
    var hasLastWord = false
    /// Whether MHD was told that the client has gone.
    private(set) var isGivenUp = false
    /// Where the client is, as far as it counts for limits.
    var network: SocketAddress.Network?

    /// Those that it is one of; they live as long as MHD's daemon.
    unowned let owner: Connections

    init(handle: OpaquePointer, socket: Int32, clientAddress: String, owner: Connections) {
        self.handle = handle
        self.socket = socket
        self.clientAddress = clientAddress
        self.owner = owner
        since = owner.now
    }

    /// Makes MHD close it, and say no more.
    ///
    /// - Parameter resets: Whether a client that still sends, or does not read, shall be cut off. Otherwise the kernel goes on
    ///   for minutes with what it has.
    func giveUp(resets: Bool = false) {
        hasLastWord = true
        isGivenUp = true
        if resets {
            lingers = false
            resetAtClose(socket)
        }
        shutdown(socket, Int32(SHUT_RDWR))
    }

    /// Has a client see that what it was sent is cut.
    func resetsAtClose() {
        lingers = false
        resetAtClose(socket)
    }

    func enter(_ phase: Phase, at now: Duration) {
        self.phase = phase
        since = now
    }
}
