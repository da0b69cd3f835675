internal import CLinux
internal import Glibc

/// Takes connections from the kernel, and answers those that are too many.
///
/// It does so itself because MHD, at its limit, just stops accepting: a client over the limit would wait in the kernel's queue
/// without a word until its own patience ends, and so would whoever asks for `/healthz`.
final class Acceptor {
    /// Connections taken in one round, so that those that are open get their turn.
    private static let mostInARound = 64
    /// How long none is accepted when there are no descriptors left: the socket stays readable, and trying costs time.
    private static let pause = Duration.milliseconds(100)

    private let listener: ListeningSocket
    private let connections: Connections
    private let daemon: MicroHTTPD
    /// Until when none is accepted.
    private(set) var pausedUntil: Duration?
    private var isWatched = false

    init(listener: ListeningSocket, connections: Connections, daemon: MicroHTTPD) throws(HTTPServerError) {
        self.listener = listener
        self.connections = connections
        self.daemon = daemon
        guard watch() else {
            throw HTTPServerError(operation: .watch, subject: listener.description, errno: errno)
        }
    }

    /// Accepts what waits.
    func run(at now: Duration) {
        if let end = pausedUntil {
            guard end <= now else { return }
            pausedUntil = nil
            guard watch() else {
                pausedUntil = now + Self.pause
                return
            }
        }
        guard connections.hasNewcomers(at: listener) else { return }
        for _ in 0..<Self.mostInARound {
            guard let (socket, address) = accept(at: now) else { return }
            take(socket, from: address, at: now)
        }
    }

    /// Closes the listening socket.
    func stop() {
        pausedUntil = nil
        unwatch()
        listener.close()
    }

    private func take(_ socket: Int32, from address: SocketAddress, at now: Duration) {
        let configuration = connections.configuration
        if connections.count >= configuration.maximumConnections {
            return connections.turnAway(
                socket,
                from: address,
                RequestRefusal(503, "There are too many connections.")
            )
        }
        let most = configuration.maximumConnectionsPerAddress
        if most > 0, connections.count(from: address) >= most {
            let detail = "There are too many connections from \(address.clientLiteral)."
            return connections.turnAway(socket, from: address, RequestRefusal(429, detail))
        }
        daemon.add(socket, from: address)
    }

    private func accept(at now: Duration) -> (socket: Int32, address: SocketAddress)? {
        while true {
            var address = SocketAddress()
            let socket = address.fill { sandglass_accept(listener.descriptor, $0, $1) }
            if socket >= 0 { return (socket, address) }
            switch errno {
            // The client has gone already, or its network has (accept(2)).
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH:
                continue
            case EAGAIN: return nil
            default:
                pausedUntil = now + Self.pause
                unwatch()
                return nil
            }
        }
    }

    private func watch() -> Bool {
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data(fd: listener.descriptor))
        isWatched = epoll_ctl(connections.poll, EPOLL_CTL_ADD, listener.descriptor, &event) == 0
        return isWatched
    }

    private func unwatch() {
        guard isWatched else { return }
        isWatched = false
        epoll_ctl(connections.poll, EPOLL_CTL_DEL, listener.descriptor, nil)
    }
}
