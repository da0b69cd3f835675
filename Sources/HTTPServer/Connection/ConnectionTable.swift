internal import Glibc
internal import System

/// The open connections of a server and the requests in progress on them.
final class ConnectionTable {
    let configuration: HTTPServerConfiguration
    /// True if the server's owner wants a report of each completed request.
    let reportsCompletions: Bool
    let earlyResponder: EarlyResponder
    let suspended: SuspendedExchanges
    private let bodies: ((Exchange) -> BodyDecision)?
    private let handler: (Exchange) -> Void
    /// The open connections by socket.
    ///
    /// MHD reports the end of a connection before the number of its socket is reused.
    private var open: [Int32: Connection] = [:]
    private var countByNetwork: [SocketAddress.Network: Int] = [:]
    private var lingering: LingeringSockets
    private var timeouts: ConnectionTimeouts
    /// The start of this round, or a later time if something happened between two rounds.
    private(set) var now = MonotonicTime.now
    private var round = 0
    private var isStopping = false
    /// The memory in bytes that the bodies of all requests in progress hold.
    private(set) var bodyBytes = 0

    init(
        configuration: HTTPServerConfiguration,
        bodies: ((Exchange) -> BodyDecision)? = nil,
        handler: @escaping (Exchange) -> Void
    ) throws(HTTPServerError) {
        self.configuration = configuration
        reportsCompletions = configuration.onCompletion != nil
        earlyResponder = EarlyResponder(configuration: configuration)
        self.bodies = bodies
        self.handler = handler
        timeouts = ConnectionTimeouts(configuration: configuration)
        suspended = SuspendedExchanges(watch: try SocketWatch(address: configuration.address))
        lingering = LingeringSockets(
            watch: suspended.watch.descriptor,
            maximumBytes: configuration.maximumDrainedBytes
        )
    }

    deinit {
        lingering.closeAll()
    }

    /// The number of open connections, idle ones included.
    var count: Int { open.count }

    /// Returns the number of open connections from a client's network.
    func count(from address: SocketAddress) -> Int { countByNetwork[address.network] ?? 0 }

    // MARK: Rounds

    /// The epoll descriptor of all sockets; see `SocketWatch`.
    var watchDescriptor: Int32 { suspended.watch.descriptor }

    /// Finds the clients that have hung up or want to connect.
    ///
    /// The server calls this method before MHD runs, because MHD closes sockets.
    func beginRound() {
        suspended.hasResumed = false
        now = MonotonicTime.now
        round += 1
        suspended.watch.poll(open: open, lingering: &lingering)
    }

    /// Returns whether a client waits to be accepted.
    func isReadable(_ listener: ListeningSocket) -> Bool { suspended.watch.isReadable(listener.descriptor) }

    /// Handles hang-ups and timeouts.
    ///
    /// The server calls this method after MHD has run and has read all bytes before the end of each stream.
    func endRound() {
        suspended.handleHangUps()
        guard let nextCheck = timeouts.nextCheck, nextCheck <= now else { return }
        checkTimeouts()
    }

    /// The time until the table has work, or nil if only an event brings some.
    var timeout: Duration? {
        if suspended.hasResumed { return .zero }
        return timeouts.nextCheck.map { $0.since(MonotonicTime.now) }
    }

    private func checkTimeouts() {
        timeouts.beginCheck()
        lingering.resetOverdue(at: now)
        if let deadline = lingering.nextDeadline { timeouts.scheduleCheck(at: deadline, now: now) }
        for connection in open.values where !connection.isAbandoned {
            if timeouts.hasExpired(connection, now: now) { expire(connection) }
        }
    }

    private func expire(_ connection: Connection) {
        switch connection.phase {
        case .head:
            earlyResponder.respond(.headTooSlow(limit: configuration.headTimeout), on: connection)
        case .body:
            let rate = configuration.minimumBodyBytesPerSecond
            earlyResponder.respond(.bodyTooSlow(limit: configuration.bodyTimeout, rate: rate), on: connection)
        case .idle, .sending, .draining, .handling: break
        }
        connection.abandon(resets: connection.phase == .sending || connection.phase == .draining)
    }

    private func enter(_ phase: Connection.Phase, _ connection: Connection) {
        connection.enter(phase, at: now)
        timeouts.scheduleCheck(of: connection, now: now)
    }

    // MARK: Start and end of a connection

    /// Adds an accepted connection.
    func opened(_ connection: Connection, from address: SocketAddress?) {
        open[connection.socket] = connection
        connection.network = address?.network
        if configuration.maximumConnectionsPerAddress > 0, let network = connection.network {
            countByNetwork[network, default: 0] += 1
        }
        suspended.watch.add(connection.socket)
        enter(.head, connection)
    }

    /// Removes a connection that MHD is about to close.
    func closing(_ connection: Connection) {
        let socket = connection.socket
        open[socket] = nil
        suspended.watch.forget(socket)
        if configuration.maximumConnectionsPerAddress > 0, let network = connection.network {
            let remaining = (countByNetwork[network] ?? 1) - 1
            countByNetwork[network] = remaining > 0 ? remaining : nil
        }
        if !isStopping { earlyResponder.respondToUnreadableLine(on: connection, round: round) }
        earlyResponder.report(connection)
        guard connection.lingers, !isStopping else { return }
        // MHD closes its descriptor, and the socket stays open in a duplicate. The watch on it stays too, unless it is
        // removed.
        suspended.watch.remove(socket)
        let duplicate = fcntl(socket, F_DUPFD_CLOEXEC, 0)
        if duplicate >= 0 { linger(duplicate) }
    }

    /// Refuses a client that exceeds a connection limit, and closes its socket once the client has read the response.
    func turnAway(_ socket: Int32, from address: SocketAddress, _ refusal: RequestRefusal) {
        if earlyResponder.turnAway(socket, from: address, refusal) { linger(socket) }
    }

    private func linger(_ socket: Int32) {
        lingering.add(socket, at: now)
        timeouts.scheduleCheck(at: now.advanced(by: LingeringSockets.timeout), now: now)
    }

    // MARK: Requests and bodies

    /// Begins a request whose request line has been read.
    func began(_ request: RequestState, on connection: Connection) {
        connection.request = request
        connection.requestCount += 1
        if connection.phase != .head { enter(.head, connection) }
    }

    /// Asks the server's owner what to do with a body whose head has arrived.
    func decide(_ exchange: Exchange) -> BodyDecision { bodies?(exchange) ?? .buffer }

    /// Expects the body of a request whose head was accepted.
    func expectsBody(_ connection: Connection) {
        timeouts.begin(bodyOf: connection, now: now)
        enter(.body, connection)
    }

    /// Extends the time of a body by the bytes of it that have arrived.
    func received(_ count: Int, _ connection: Connection) {
        timeouts.extend(bodyOf: connection, by: count, now: now)
    }

    /// Counts bytes of a body that its sink has accepted.
    func streamed(_ count: Int, of exchange: Exchange) {
        exchange.streamedBytes += count
        received(count, exchange.connection)
    }

    /// Reserves memory for a body, and returns whether the pool of all bodies has it.
    ///
    /// If the pool is full, the bodies of the caller that holds the largest part of it give way to those of others.
    func reserveBodyBytes(_ count: Int, for connection: Connection) -> Bool {
        while bodyBytes + count > configuration.maximumTotalBodyBytes {
            guard let request = BodyPool(open.values).requestGivingWay(to: connection, for: count) else { return false }
            RequestReader(connections: self).evictBody(of: request)
        }
        connection.bodyBytes += count
        bodyBytes += count
        return true
    }

    /// Returns the memory of a body to the pool.
    func releaseBodyBytes(of connection: Connection) {
        bodyBytes -= connection.bodyBytes
        connection.bodyBytes = 0
    }

    /// Pauses a body whose sink is full.
    ///
    /// The caller suspends the connection.
    func pauseBody(of exchange: Exchange) {
        let connection = exchange.connection
        suspended.addBody(of: exchange)
        // The pause must not count as time that the client has used.
        let (deadline, time) = (connection.bodyDeadline.nanoseconds, MonotonicTime.now.nanoseconds)
        connection.remainingBodyNanoseconds = deadline - min(deadline, time)
        connection.enter(.handling, at: now)
    }

    /// Resumes a paused body, whose sink has space again.
    func resumeBody(of exchange: Exchange) {
        let connection = exchange.connection
        guard suspended.resumeBody(of: exchange) else { return }
        now = MonotonicTime.now
        connection.bodyDeadline = now + connection.remainingBodyNanoseconds
        enter(.body, connection)
    }

    /// Passes a complete request to the handler, and returns whether the caller must suspend the connection.
    func handle(_ exchange: Exchange) -> Bool {
        let connection = exchange.connection
        handler(exchange)
        guard exchange.handlerReturned() else { return false }
        connection.enter(.handling, at: now)
        suspended.addResponse(of: exchange)
        return true
    }

    /// Drains the rest of a refused body, whose response was written while the body was arriving.
    func drain(_ connection: Connection) {
        enter(.draining, connection)
    }

    /// Completes a request.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - isSent: Whether MHD has sent the whole response, if MHD had to send it.
    func completed(_ request: RequestState, isSent: Bool) {
        let connection = request.connection
        connection.request = nil
        releaseBodyBytes(of: connection)
        connection.streamIsIdle = false
        connection.streamIsDrained = false
        connection.lastCompletionRound = round
        if let response = connection.earlyResponse {
            connection.earlyResponse = nil
            request.refuse(with: response, isWritten: !configuration.isEncrypted)
        }
        enter(.idle, connection)
        guard let onCompletion = configuration.onCompletion else { return }
        if let completed = request.completed(isSent: isSent, at: MonotonicTime.now) { onCompletion(completed) }
    }

    // MARK: Responses

    /// Starts the time limit of a response that was queued.
    func queued(_ connection: Connection) {
        // The response may have been queued between two rounds.
        now = MonotonicTime.now
        enter(.sending, connection)
    }

    /// Replaces one of MHD's own error pages.
    ///
    /// - Parameters:
    ///   - status: The status of MHD's page.
    ///   - headIsComplete: Whether MHD has read the whole head of the request.
    ///   - connection: The connection.
    /// - Returns: True if MHD must queue a page: `connection.errorPage`, or its own page if that property is nil.
    func replaceErrorPage(status: Int, headIsComplete: Bool, on connection: Connection) -> Bool {
        guard earlyResponder.replaceErrorPage(status: status, headIsComplete: headIsComplete, on: connection) else {
            return false
        }
        if configuration.isEncrypted { enter(.sending, connection) }
        return true
    }

    // MARK: Stop

    /// Prepares for the end of MHD's daemon: closes lingering sockets, and resumes all connections without a response.
    func abandonAll() {
        isStopping = true
        suspended.abandonAll()
        lingering.closeAll()
    }
}
