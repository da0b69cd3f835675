internal import CLinux
internal import Glibc
internal import System

/// The acceptor of connections, which refuses those past a limit with a response.
///
/// MHD stops accepting at its own limit. A client past the limit would then wait in the kernel's queue, without a
/// response, until its own timeout. So would a client that asks for `/healthz`.
final class Acceptor {
    /// The maximum number of connections accepted in one round, so that open connections are served in between.
    private static let maximumPerRound = 64
    /// The pause when the process has no free descriptor: the listening socket stays readable, and each attempt costs
    /// time.
    private static let pause = Duration.milliseconds(100)

    private let listener: ListeningSocket
    private let connections: ConnectionTable
    private let daemon: MicroHTTPD
    /// The time until which the acceptor pauses.
    private(set) var pausedUntil: MonotonicTime?
    private var isWatched = false

    init(listener: ListeningSocket, connections: ConnectionTable, daemon: MicroHTTPD) throws(HTTPServerError) {
        self.listener = listener
        self.connections = connections
        self.daemon = daemon
        guard watch() else {
            throw HTTPServerError(operation: .watch, subject: listener.description, errno: errno)
        }
    }

    /// Accepts the connections that wait in the kernel's queue.
    func run(at now: MonotonicTime) {
        if let end = pausedUntil {
            guard end <= now else { return }
            pausedUntil = nil
            guard watch() else {
                pausedUntil = now.advanced(by: Self.pause)
                return
            }
        }
        guard connections.isReadable(listener) else { return }
        for _ in 0..<Self.maximumPerRound {
            guard let (socket, address) = accept(at: now) else { return }
            admit(socket, from: address)
        }
    }

    /// Closes the listening socket.
    func stop() {
        pausedUntil = nil
        unwatch()
        listener.close()
    }

    private func admit(_ socket: Int32, from address: SocketAddress) {
        let limit = connections.configuration.maximumConnections
        if connections.count >= limit {
            let detail = "The server has reached its limit of \(limit, counting: "connection"). Retry later."
            return connections.turnAway(socket, from: address, RequestRefusal(503, detail))
        }
        let addressLimit = connections.configuration.maximumConnectionsPerAddress
        if addressLimit > 0, connections.count(from: address) >= addressLimit {
            let detail =
                "\(address.clientLiteral) has reached its limit of \(addressLimit, counting: "connection"). Close one and retry."
            return connections.turnAway(socket, from: address, RequestRefusal(429, detail))
        }
        daemon.add(socket, from: address)
    }

    private func accept(at now: MonotonicTime) -> (socket: Int32, address: SocketAddress)? {
        while true {
            var address = SocketAddress()
            let socket = address.fill { sandglass_accept(listener.descriptor, $0, $1) }
            if socket >= 0 { return (socket, address) }
            switch errno {
            // The client or its network is gone already (accept(2)).
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH:
                continue
            case EAGAIN: return nil
            default:
                pausedUntil = now.advanced(by: Self.pause)
                unwatch()
                return nil
            }
        }
    }

    private func watch() -> Bool {
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data(fd: listener.descriptor))
        isWatched = epoll_ctl(connections.watchDescriptor, EPOLL_CTL_ADD, listener.descriptor, &event) == 0
        return isWatched
    }

    private func unwatch() {
        guard isWatched else { return }
        isWatched = false
        epoll_ctl(connections.watchDescriptor, EPOLL_CTL_DEL, listener.descriptor, nil)
    }
}

/// A socket that listens for TCP connections.
final class ListeningSocket {
    /// The bound address, as a literal.
    let address: String
    let port: UInt16
    let descriptor: Int32
    private var isOpen = true

    /// The address and the port.
    var description: String { address.utf8.contains(UInt8(ascii: ":")) ? "[\(address)]:\(port)" : "\(address):\(port)" }

    /// Creates a socket, binds it and listens on it.
    init(address: String, port: UInt16) throws(HTTPServerError) {
        var name = try SocketAddress(address, port: port)
        func failure(_ operation: HTTPServerError.Operation, _ code: Int32) -> HTTPServerError {
            let host = name.isIPv6 ? "[\(address)]" : address
            return HTTPServerError(operation: operation, subject: "\(host):\(port)", errno: code)
        }
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let created = socket(name.isIPv6 ? AF_INET6 : AF_INET, type, 0)
        guard created >= 0 else { throw failure(.createSocket, errno) }
        descriptor = created
        do throws(HTTPServerError) {
            // A restarted server must not wait for connections in TIME_WAIT. Accepted sockets inherit TCP_NODELAY, so
            // that the kernel does not hold back the last packet of a response.
            for (level, option) in [(SOL_SOCKET, SO_REUSEADDR), (Int32(IPPROTO_TCP), TCP_NODELAY)] {
                var on: Int32 = 1
                guard setsockopt(created, level, option, &on, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
                    throw failure(.createSocket, errno)
                }
            }
            guard name.withPointer({ bind(created, $0, $1) }) == 0 else { throw failure(.bind, errno) }
            guard listen(created, SOMAXCONN) == 0 else { throw failure(.listen, errno) }
            guard name.fill({ getsockname(created, $0, $1) }) == 0 else { throw failure(.readAddress, errno) }
        } catch {
            Glibc.close(created)
            throw error
        }
        (self.address, self.port) = (name.literal, name.port)
    }

    deinit {
        close()
    }

    /// Closes the socket if it is open.
    func close() {
        guard isOpen else { return }
        isOpen = false
        Glibc.close(descriptor)
    }
}
