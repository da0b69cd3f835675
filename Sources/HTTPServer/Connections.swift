internal import CLinux
internal import Glibc

/// The open connections: who waits for an answer, and who has hung up.
///
/// MHD misses a client that hangs up in two cases: while its connection is suspended, and when the end of
/// the stream arrives together with the last bytes before it (MHD is told of both by one event, reads the
/// bytes, and never looks again). So all sockets are watched here too.
final class Connections {
    let configuration: HTTPServerConfiguration
    /// An epoll descriptor with all sockets: readable when somebody has hung up.
    let hangUps: Int32
    private let handler: (Exchange) -> Void
    /// By socket, whose number stays its own until MHD has told us of its end.
    private var waiting: [Int32: Exchange] = [:]
    /// The sockets whose client has closed at least its sending side.
    private var halfClosed: Set<Int32> = []
    /// Those of them on which that has not been acted upon.
    private var unsettled: Set<Int32> = []
    private var events = [epoll_event](repeating: epoll_event(), count: 64)
    /// Whether a connection was resumed that MHD has not looked at since.
    private(set) var hasResumed = false

    init(
        configuration: HTTPServerConfiguration,
        handler: @escaping (Exchange) -> Void
    ) throws(HTTPServerError) {
        self.configuration = configuration
        self.handler = handler
        hangUps = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard hangUps >= 0 else {
            throw HTTPServerError(operation: .watch, subject: configuration.address, errno: errno)
        }
    }

    deinit {
        close(hangUps)
    }

    /// A connection was accepted.
    func opened(_ connection: Connection) {
        let socket = connection.socket
        // Edge-triggered: a hang-up is told once. A socket that cannot be watched is served like any other.
        var event = epoll_event(events: EPOLLRDHUP.rawValue | EPOLLET.rawValue, data: epoll_data(fd: socket))
        epoll_ctl(hangUps, EPOLL_CTL_ADD, socket, &event)
    }

    /// A connection is about to be closed, which ends its watch too.
    func closing(_ connection: Connection) {
        let socket = connection.socket
        guard !halfClosed.isEmpty else { return }
        halfClosed.remove(socket)
        unsettled.remove(socket)
    }

    /// Finds out who has hung up.
    ///
    /// Called before MHD runs, since MHD closes sockets.
    func noticeHangUps() {
        hasResumed = false
        while true {
            let count = Int(epoll_wait(hangUps, &events, Int32(events.count), 0))
            for event in events[..<max(count, 0)] {
                halfClosed.insert(event.data.fd)
                unsettled.insert(event.data.fd)
            }
            guard count == events.count else { return }
        }
    }

    /// Acts on who has hung up.
    ///
    /// Called after MHD has run, and so has read what came before the end of the stream.
    func settleHangUps() {
        guard !unsettled.isEmpty else { return }
        for socket in unsettled {
            if let exchange = waiting[socket] {
                unsettled.remove(socket)
                exchange.clientHungUp()
            } else if !hasUnreadBytes(socket) {
                unsettled.remove(socket)
                // Changes nothing but that MHD gets another event, and so reads the end of the stream.
                shutdown(socket, Int32(SHUT_RD))
            }
        }
    }

    /// Hands a complete request to the handler; true if it is unanswered and has to be suspended.
    func handle(_ exchange: Exchange) -> Bool {
        handler(exchange)
        guard exchange.handlerReturned() else { return false }
        let socket = exchange.connection.socket
        waiting[socket] = exchange
        if halfClosed.contains(socket) { unsettled.insert(socket) }
        return true
    }

    /// A request is over.
    func completed(_ intake: Intake, isWhole: Bool) {
        guard let onCompletion = configuration.onCompletion else { return }
        if let request = intake.completed(isWhole: isWhole, at: MonotonicClock.now) { onCompletion(request) }
    }

    /// Makes an answer, or the one that says that this answer cannot be sent.
    func prepare(_ response: Response) -> PreparedResponse {
        if let prepared = PreparedResponse(response) { return prepared }
        let problem = configuration.problem(500, "The answer could not be sent.")
        guard let prepared = PreparedResponse(problem) ?? PreparedResponse(Response(status: 500)) else {
            preconditionFailure("no memory for an answer")
        }
        return prepared
    }

    /// Lets MHD go on with a connection that waited.
    func resume(_ exchange: Exchange) {
        let socket = exchange.connection.socket
        waiting[socket] = nil
        if halfClosed.contains(socket) { unsettled.insert(socket) }
        hasResumed = true
        MicroHTTPD.resume(exchange.connection.handle, configuration: configuration)
    }

    /// Resumes all who wait, unanswered: MHD aborts the process if it is stopped while one is suspended.
    func abandonAll() {
        for exchange in waiting.values {
            exchange.end()
            resume(exchange)
        }
    }

    private func hasUnreadBytes(_ socket: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }
}
