internal import Glibc
internal import System

/// An HTTP/1.1 server that its owner drives from its own event loop.
///
/// The server has no thread. Its owner waits until `descriptor` is readable or `timeout` has passed and then calls
/// `run()`. All calls must come from one thread.
///
///     while true {
///         wait(for: server.descriptor, atMost: server.timeout)   // epoll_wait(2)
///         server.run()
///     }
///
/// The first server makes the whole process ignore SIGPIPE: sendfile(2) raises it when a client hangs up, and no flag
/// prevents that.
package final class HTTPDaemon {
    /// An epoll descriptor, close-on-exec, that is readable when `run()` has work.
    ///
    /// The descriptor is level-triggered and valid until `stop()`.
    package let descriptor: Int32
    /// The address that the server listens on, as a literal: `127.0.0.1` or `::1`.
    package let address: String
    /// The port that the server listens on.
    package let port: UInt16

    private let connections: ConnectionTable
    private let acceptor: Acceptor
    private var daemon: MicroHTTPD?
    private var isRunning = false
    private var isStopping = false

    /// Starts to listen.
    ///
    /// The server accepts no connection before the first `run()`.
    ///
    /// - Parameters:
    ///   - configuration: The address, the limits and the timeouts.
    ///   - bodies: Called by `run()` for each request with a body, when its head has arrived. If it is nil, the server
    ///     keeps all bodies in memory.
    ///   - handler: Called by `run()` for each complete request. It responds at once or later.
    /// - Throws: `HTTPServerError`, for example when the address is in use.
    package init(
        configuration: HTTPServerConfiguration,
        bodies: ((Exchange) -> BodyDecision)? = nil,
        handler: @escaping (Exchange) -> Void
    ) throws(HTTPServerError) {
        signal(SIGPIPE, SIG_IGN)
        let listener = try ListeningSocket(address: configuration.address, port: configuration.port)
        let connections = try ConnectionTable(configuration: configuration, bodies: bodies, handler: handler)
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

    /// Accepts connections, reads requests, calls the handler and writes responses, without blocking.
    package func run() {
        guard let daemon, !isRunning else { return }
        isRunning = true
        connections.beginRound()
        acceptor.run(at: connections.now)
        daemon.run()
        connections.endRound()
        isRunning = false
        if isStopping { stop() }
    }

    /// The longest time that the owner may wait before it calls `run()`, or nil if only `descriptor` decides.
    ///
    /// The owner must read this property before every wait. It is zero when there is work already, such as a response
    /// that was queued outside `run()`.
    package var timeout: Duration? {
        guard let daemon else { return nil }
        let paused = acceptor.pausedUntil.map { $0.since(MonotonicTime.now) }
        return Self.shorter(Self.shorter(connections.timeout, daemon.timeout), paused)
    }

    private static func shorter(_ first: Duration?, _ second: Duration?) -> Duration? {
        guard let first else { return second }
        guard let second else { return first }
        return min(first, second)
    }

    /// Closes the listening socket and keeps open connections.
    package func stopAccepting() {
        acceptor.stop()
    }

    /// The number of open connections, idle ones included.
    package var openConnections: Int { daemon == nil ? 0 : connections.count }

    /// The memory in bytes that the bodies of all requests in progress hold.
    package var bodyBytes: Int { connections.bodyBytes }

    /// Closes the listening socket and all connections, also those that still wait for a response.
    ///
    /// A call from a handler or an `onDisconnect` takes effect at the end of that `run()`. A second call
    /// has no effect.
    package func stop() {
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

/// A failure of this server, not of a client: the server could not start, or a file could not be opened.
package struct HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A step that can fail.
    ///
    /// The raw value completes the phrase "cannot …".
    package enum Operation: String, Sendable {
        /// Parsing an address. It must be an IPv4 literal, an IPv6 literal or `localhost`.
        case parseAddress = "parse the address"
        /// socket(2) and its options.
        case createSocket = "create a socket for"
        /// bind(2).
        case bind = "bind to"
        /// listen(2).
        case listen = "listen on"
        /// getsockname(2).
        case readAddress = "read the bound address of"
        /// epoll_create1(2) or epoll_ctl(2).
        case watch = "watch the connections of"
        /// Starting libmicrohttpd.
        case start = "start the HTTP daemon on"
        /// Reading a certificate and its key. Both must be in PEM and belong together.
        case useIdentity = "use the certificate and the key for"
        /// open(2) of a file for a response.
        case open = "open"
    }

    /// The step that failed.
    package let operation: Operation
    /// The address with its port, or the path, that the step was applied to.
    package let subject: String
    /// The `errno` of the failed call, or 0 if there was none.
    package let errno: Int32

    /// Creates an error.
    package init(operation: Operation, subject: String, errno: Int32) {
        self.operation = operation
        self.subject = subject
        self.errno = errno
    }

    /// A description such as `cannot bind to 127.0.0.1:8080: Address already in use`.
    package var description: String {
        guard errno != 0 else { return "cannot \(operation.rawValue) \(subject)" }
        return "cannot \(operation.rawValue) \(subject): \(SystemError.meaning(of: errno))"
    }
}
