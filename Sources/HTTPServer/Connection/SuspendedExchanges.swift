internal import Glibc

/// The exchanges whose connection is suspended in MHD, and the handling of clients that hang up meanwhile.
///
/// The type is a class, because a hang-up calls the handler, which may suspend and resume exchanges inside that call.
final class SuspendedExchanges {
    /// The watch of all sockets.
    var watch: SocketWatch
    /// True if MHD has not run since a connection was resumed.
    var hasResumed = false
    /// The exchanges that wait for their handler or their stream to produce a response, by socket.
    private var responses: [Int32: Exchange] = [:]
    /// The exchanges whose body waits for a full sink, by socket.
    private var bodies: [Int32: Exchange] = [:]

    init(watch: consuming SocketWatch) {
        self.watch = watch
    }

    /// Handles the hang-ups that `watch` has found.
    func handleHangUps() {
        guard !watch.pendingHangUps.isEmpty else { return }
        for socket in watch.pendingHangUps {
            if let exchange = responses[socket] {
                watch.handled(socket)
                exchange.clientHungUp()
            } else if bodies[socket] == nil, !Self.hasUnreadBytes(socket) {
                watch.handled(socket)
                // The only effect is another event for MHD, which makes it read the end of the stream.
                shutdown(socket, Int32(SHUT_RD))
            }
        }
    }

    private static func hasUnreadBytes(_ socket: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }

    // MARK: Responses

    /// Adds an exchange without a response.
    ///
    /// The caller suspends its connection.
    func addResponse(of exchange: Exchange) {
        let socket = exchange.connection.socket
        responses[socket] = exchange
        watch.recheck(socket)
    }

    /// Lets MHD send the response of a suspended exchange, or close its connection if there is none.
    func resumeResponse(of exchange: Exchange) {
        let socket = exchange.connection.socket
        responses[socket] = nil
        watch.recheck(socket)
        hasResumed = true
        MicroHTTPD.resumeToSend(exchange.connection.handle)
    }

    /// Suspends a connection whose stream has nothing to send.
    ///
    /// Must be called while MHD reads the stream.
    func suspendStream(of exchange: Exchange) {
        let connection = exchange.connection
        if !connection.streamIsIdle { connection.flush() }
        connection.streamIsIdle = true
        addResponse(of: exchange)
        MicroHTTPD.suspend(connection.handle)
    }

    /// Resumes a connection whose stream may have something to send, or has ended.
    func resumeStream(of exchange: Exchange) {
        let connection = exchange.connection
        responses[connection.socket] = nil
        connection.streamHasMore()
        resume(connection)
    }

    /// Makes MHD free a connection whose stream has failed.
    ///
    /// Must be called while MHD reads the stream. MHD closes the connection but frees it only when it processes it
    /// again. For that it waits for an event of a socket that has no more events. A resumed connection is processed
    /// without an event.
    func streamFailed(of exchange: Exchange) {
        exchange.connection.isClosing = true
        MicroHTTPD.suspend(exchange.connection.handle)
        resume(exchange.connection)
    }

    // MARK: Bodies

    /// Adds an exchange whose body waits for its sink.
    ///
    /// The caller suspends its connection.
    func addBody(of exchange: Exchange) {
        bodies[exchange.connection.socket] = exchange
    }

    /// Resumes the connection of an exchange whose sink has space again.
    ///
    /// - Returns: False if the body does not wait.
    func resumeBody(of exchange: Exchange) -> Bool {
        let connection = exchange.connection
        guard bodies.removeValue(forKey: connection.socket) != nil else { return false }
        watch.recheck(connection.socket)
        resume(connection)
        return true
    }

    private func resume(_ connection: Connection) {
        hasResumed = true
        MicroHTTPD.resume(connection.handle)
    }

    // MARK: Stop

    /// Resumes all connections without a response.
    ///
    /// MHD aborts the process if it is stopped while a connection is suspended.
    func abandonAll() {
        for exchange in bodies.values { resume(exchange.connection) }
        bodies = [:]
        for exchange in responses.values {
            guard !exchange.hasStream else {
                exchange.cutStream()
                continue
            }
            exchange.end()
            resumeResponse(of: exchange)
        }
    }
}
