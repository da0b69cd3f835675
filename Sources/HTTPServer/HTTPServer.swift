internal import Glibc

/// An HTTP/1.1 server that its owner drives from its own event loop.
///
/// It has no thread. Its owner waits until `descriptor` is readable or `timeout` has passed and then calls
/// `run()`. All of it belongs to one thread.
///
///     while true {
///         wait(for: server.descriptor, atMost: server.timeout)   // epoll_wait(2)
///         server.run()
///     }
///
/// SIGPIPE is ignored in the whole process from the first server on: sendfile(2) raises it when a client
/// hangs up, and no flag stops it.
public final class HTTPServer {
    /// An epoll descriptor, close-on-exec: readable when `run()` has work.
    ///
    /// Level-triggered. Valid until `stop()`.
    public let descriptor: Int32
    /// The address that it listens on, as a literal: `127.0.0.1` or `::1`.
    public let address: String
    /// The port that it listens on.
    public let port: UInt16

    private let connections: Connections
    private let acceptor: Acceptor
    private var daemon: MicroHTTPD?
    private var isRunning = false
    private var isStopping = false

    /// Starts to listen.
    ///
    /// Nothing is accepted before the first `run()`.
    ///
    /// - Parameters:
    ///   - configuration: Where it listens and how much it takes.
    ///   - bodies: Called by `run()` for each request with a body, when its head is there; nil keeps all of them in memory.
    ///   - handler: Called by `run()` for each complete request; it answers there or later.
    /// - Throws: `HTTPServerError`, for example when the address is in use.
    public init(
        configuration: HTTPServerConfiguration,
        bodies: ((Exchange) -> BodyDecision)? = nil,
        handler: @escaping (Exchange) -> Void
    ) throws(HTTPServerError) {
        signal(SIGPIPE, SIG_IGN)
        let listener = try ListeningSocket(address: configuration.address, port: configuration.port)
        let connections = try Connections(configuration: configuration, bodies: bodies, handler: handler)
        let daemon = try MicroHTTPD(connections: connections, address: listener.description)
        do throws(HTTPServerError) {
            acceptor = try Acceptor(listener: listener, connections: connections, daemon: daemon)
        } catch {
            daemon.stop()
            throw error
        }
        descriptor = daemon.descriptor
        (address, port) = (listener.address, listener.port)
        (self.connections, self.daemon) = (connections, daemon)
    }

    deinit {
        stop()
    }

    /// Accepts, reads, calls the handler, and writes, without blocking.
    public func run() {
        guard let daemon, !isRunning else { return }
        isRunning = true
        connections.begin()
        acceptor.run(at: connections.now)
        daemon.run()
        connections.end()
        isRunning = false
        if isStopping { stop() }
    }

    /// How long the owner may wait before it calls `run()`; nil if only `descriptor` decides.
    ///
    /// To be read before every wait. Zero when there is work already, such as an answer that was given
    /// outside `run()`.
    public var timeout: Duration? {
        guard let daemon else { return nil }
        let paused = acceptor.pausedUntil.map { max($0 - MonotonicClock.now, .zero) }
        return [connections.timeout, daemon.timeout, paused].compactMap { $0 }.min()
    }

    /// Closes the listening socket; open connections go on.
    public func stopAccepting() {
        acceptor.stop()
    }

    /// How many connections are open, idle ones included.
    public var openConnections: Int { daemon == nil ? 0 : connections.count }

    /// Closes all connections, answered or not, and the listening socket.
    ///
    /// Called by a handler or an `onDisconnect`, it takes effect at the end of that `run()`. Of no effect
    /// a second time.
    public func stop() {
        guard !isRunning else {
            isStopping = true
            return
        }
        guard let daemon else { return }
        self.daemon = nil
        acceptor.stop()
        connections.abandonAll()
        daemon.stop()
    }
}
