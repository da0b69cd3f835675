internal import CLinux
internal import Glibc

/// Sockets on which the last word has been said, kept until the client has read it.
///
/// A socket that is closed while unread bytes are in it is reset, and the client, still sending, may never see the answer
/// (RFC 9112, 9.6). So its sending side is closed, and what comes is read and dropped: until the client closes too, but not for
/// long, not without end, and not for many at a time.
struct Farewells {
    private struct Farewell {
        let end: Duration
        var bytesLeft: Int
    }

    /// How long one may take.
    static let patience = Duration.seconds(5)
    /// How many there may be; for another one the oldest goes.
    ///
    /// Each costs a descriptor.
    static let most = 32

    /// An epoll descriptor that tells when something has come.
    private let poll: Int32
    private let mostBytes: Int
    private var farewells: [Int32: Farewell] = [:]
    private var buffer = [UInt8](repeating: 0, count: 16 << 10)

    init(poll: Int32, mostBytes: Int) {
        self.poll = poll
        self.mostBytes = mostBytes
    }

    /// When the next of them has lasted long enough.
    var nextEnd: Duration? { farewells.isEmpty ? nil : farewells.values.lazy.map(\.end).min() }

    func has(_ socket: Int32) -> Bool { farewells[socket] != nil }

    /// Takes over a socket on which everything has been written.
    mutating func add(_ socket: Int32, at now: Duration) {
        shutdown(socket, Int32(SHUT_WR))
        if farewells.count >= Self.most, let oldest = farewells.min(by: { $0.value.end < $1.value.end }) {
            cutOff(oldest.key)
        }
        var event = epoll_event(events: EPOLLIN.rawValue | EPOLLRDHUP.rawValue, data: epoll_data(fd: socket))
        guard epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event) == 0 else {
            close(socket)
            return
        }
        farewells[socket] = Farewell(end: now + Self.patience, bytesLeft: mostBytes)
    }

    /// Something has come.
    mutating func read(_ socket: Int32) {
        guard var farewell = farewells[socket] else { return }
        // Not until nothing is left: one that sends fast must not hold up the others.
        let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        farewell.bytesLeft -= max(count, 0)
        guard count > 0 else { return end(socket) }
        guard farewell.bytesLeft > 0 else { return cutOff(socket) }
        farewells[socket] = farewell
    }

    /// Ends those that have lasted long enough.
    mutating func endOverdue(at now: Duration) {
        for (socket, farewell) in farewells where farewell.end <= now { cutOff(socket) }
    }

    mutating func endAll() {
        for socket in farewells.keys { end(socket) }
    }

    /// Ends one whose client has not closed.
    private mutating func cutOff(_ socket: Int32) {
        resetAtClose(socket)
        end(socket)
    }

    private mutating func end(_ socket: Int32) {
        farewells[socket] = nil
        close(socket)
    }
}
