internal import CLinux
internal import Glibc
internal import System

/// Sockets that have sent their last response and stay open until the client has read it.
///
/// The kernel resets a socket that is closed while it holds unread bytes. A client that is still sending may then never
/// see the response (RFC 9112, 9.6). So the server closes the sending side, and reads and drops everything that arrives
/// until the client closes too. The time, the bytes and the number of such sockets are limited.
struct LingeringSockets {
    private struct Socket {
        let deadline: MonotonicTime
        var remainingBytes: Int
    }

    /// The maximum time that a socket lingers.
    static let timeout = Duration.seconds(5)
    /// The maximum number of lingering sockets, each of which costs a descriptor.
    ///
    /// A further one replaces the oldest.
    private static let maximumCount = 32

    /// The epoll descriptor that reports arriving bytes.
    private let watch: Int32
    private let maximumBytes: Int
    private var sockets: [Int32: Socket] = [:]
    private var buffer = [UInt8](repeating: 0, count: 16 << 10)

    /// Creates an empty collection.
    ///
    /// - Parameters:
    ///   - watch: The epoll descriptor to register the sockets with.
    ///   - maximumBytes: The number of bytes to read from a socket before it is reset.
    init(watch: Int32, maximumBytes: Int) {
        self.watch = watch
        self.maximumBytes = maximumBytes
    }

    /// The earliest deadline of the sockets.
    var nextDeadline: MonotonicTime? { sockets.isEmpty ? nil : sockets.values.lazy.map(\.deadline).min() }

    func contains(_ socket: Int32) -> Bool { sockets[socket] != nil }

    /// Takes over a socket on which everything has been written.
    mutating func add(_ socket: Int32, at now: MonotonicTime) {
        shutdown(socket, Int32(SHUT_WR))
        if sockets.count >= Self.maximumCount, let oldest = sockets.min(by: { $0.value.deadline < $1.value.deadline }) {
            reset(oldest.key)
        }
        var event = epoll_event(events: EPOLLIN.rawValue | EPOLLRDHUP.rawValue, data: epoll_data(fd: socket))
        guard epoll_ctl(watch, EPOLL_CTL_ADD, socket, &event) == 0 else {
            Glibc.close(socket)
            return
        }
        sockets[socket] = Socket(deadline: now.advanced(by: Self.timeout), remainingBytes: maximumBytes)
    }

    /// Reads and drops bytes that have arrived, and closes the socket at the end of the stream.
    mutating func read(_ socket: Int32) {
        guard var state = sockets[socket] else { return }
        // One read only: a client that sends fast must not delay the others.
        let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        state.remainingBytes -= max(count, 0)
        guard count > 0 else { return close(socket) }
        guard state.remainingBytes > 0 else { return reset(socket) }
        sockets[socket] = state
    }

    /// Resets the sockets whose deadline has passed.
    mutating func resetOverdue(at now: MonotonicTime) {
        for (socket, state) in sockets where state.deadline <= now { reset(socket) }
    }

    mutating func closeAll() {
        for socket in sockets.keys { close(socket) }
    }

    /// Closes a socket whose client has not closed.
    private mutating func reset(_ socket: Int32) {
        setResetOnClose(socket)
        close(socket)
    }

    private mutating func close(_ socket: Int32) {
        sockets[socket] = nil
        Glibc.close(socket)
    }
}

/// Makes close(2) reset a connection instead of ending it in order.
///
/// The kernel then drops the bytes that it holds for the client (socket(7), SO_LINGER).
func setResetOnClose(_ socket: Int32) {
    var immediately = linger(l_onoff: 1, l_linger: 0)
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &immediately, socklen_t(MemoryLayout<linger>.size))
}
