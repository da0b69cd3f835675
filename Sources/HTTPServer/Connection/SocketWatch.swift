internal import CLinux
internal import Glibc

/// The watch on all sockets of a server for clients that connect or hang up.
///
/// MHD misses a client that hangs up in two cases. The first is a suspended connection. The second is an end of the
/// stream that arrives together with the last bytes before it. One event reports both, and MHD reads only the bytes.
struct SocketWatch: ~Copyable {
    /// An epoll descriptor that is readable when a client has connected or hung up, or has sent to a lingering socket.
    let descriptor: Int32
    private var events = [epoll_event](repeating: epoll_event(), count: 64)
    /// The sockets whose client has closed at least its sending side.
    private var halfClosed: Set<Int32> = []
    /// The half-closed sockets whose hang-up the server has yet to handle.
    private(set) var pendingHangUps: Set<Int32> = []
    /// The listening sockets at which clients wait.
    private var readable: Set<Int32> = []

    /// Creates a watch without sockets.
    ///
    /// - Parameter address: The server's address, for the error.
    /// - Throws: `HTTPServerError` if epoll_create1(2) fails.
    init(address: String) throws(HTTPServerError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw HTTPServerError(operation: .watch, subject: address, errno: errno) }
    }

    deinit {
        close(descriptor)
    }

    /// Collects the events of all sockets, and lets lingering sockets read.
    ///
    /// - Parameters:
    ///   - open: The open connections, by their socket.
    ///   - lingering: The lingering sockets.
    mutating func poll(open: [Int32: Connection], lingering: inout LingeringSockets) {
        readable = []
        while true {
            let count = Int(epoll_wait(descriptor, &events, Int32(events.count), 0))
            for event in events[..<max(count, 0)] {
                let socket = event.data.fd
                if open[socket] != nil {
                    halfClosed.insert(socket)
                    pendingHangUps.insert(socket)
                } else if lingering.contains(socket) {
                    lingering.read(socket)
                } else {
                    readable.insert(socket)
                }
            }
            guard count == events.count else { return }
        }
    }

    /// Returns whether a client waits to be accepted at this listening socket.
    func isReadable(_ socket: Int32) -> Bool { readable.contains(socket) }

    /// Watches a new connection's socket.
    func add(_ socket: Int32) {
        // Edge-triggered, so that each hang-up is reported once. A socket that cannot be watched is served like any
        // other.
        var event = epoll_event(events: EPOLLRDHUP.rawValue | EPOLLET.rawValue, data: epoll_data(fd: socket))
        epoll_ctl(descriptor, EPOLL_CTL_ADD, socket, &event)
    }

    /// Forgets the hang-up of a socket that is about to be closed.
    mutating func forget(_ socket: Int32) {
        halfClosed.remove(socket)
        pendingHangUps.remove(socket)
    }

    /// Ends the watch of a socket that stays open in another descriptor.
    ///
    /// Otherwise, close(2) ends it.
    func remove(_ socket: Int32) { epoll_ctl(descriptor, EPOLL_CTL_DEL, socket, nil) }

    /// Marks the hang-up of a socket as handled.
    mutating func handled(_ socket: Int32) { pendingHangUps.remove(socket) }

    /// Makes the server handle the hang-up of a socket again, if its client has hung up.
    mutating func recheck(_ socket: Int32) {
        if halfClosed.contains(socket) { pendingHangUps.insert(socket) }
    }
}
