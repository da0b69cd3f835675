internal import System

/// The reader of requests, which checks the head, collects the body and passes the complete request to the handler.
struct RequestReader {
    /// The next step for MHD after a complete request.
    enum NextStep {
        /// Send the response.
        case send
        /// Suspend the connection.
        case suspend
        /// Close the connection.
        case close
    }

    let connections: ConnectionTable

    /// The memory in bytes that a body gets before its first byte arrives.
    private static let firstCapacity = 1 << 20

    private var configuration: HTTPServerConfiguration { connections.configuration }

    /// Checks the head of a request, and prepares for its body.
    func readHead(_ head: RequestHead, _ collected: HeaderCollector, of request: RequestState) {
        guard case .head(let target, _) = request.stage else { return }
        do throws(RequestRefusal) {
            let checked = try head.request(
                try target.get(),
                collected,
                maximumBytes: configuration.maximumHeaderBytes,
                maximumFields: configuration.maximumHeaderFields
            )
            let length = collected.contentLength ?? 0
            let exchange = Exchange(request: checked, connection: request.connection, connections: connections)
            exchange.contentLength = collected.contentLength
            if length > 0 || collected.isChunked {
                guard try mustBuffer(exchange, length: length, of: request) else { return }
            }
            // A client may declare more than it sends: at most 1 MiB is reserved in advance.
            if length > 0 { exchange.request.body.reserveCapacity(min(length, Self.firstCapacity)) }
            if length > 0 || collected.isChunked { connections.expectsBody(request.connection) }
            request.stage = .bufferingBody(exchange)
        } catch {
            refuse(
                request,
                error,
                method: String(decoding: head.method, as: UTF8.self),
                target: try? target.get().bytes
            )
        }
    }

    /// Asks the server's owner what to do with a body, and returns whether to keep it in memory.
    private func mustBuffer(
        _ exchange: Exchange,
        length: Int,
        of request: RequestState
    ) throws(RequestRefusal) -> Bool {
        // The owner may refuse the body with a response, after which the connection is closed.
        exchange.headers = [HeaderField("Connection", "close")]
        let decision = connections.decide(exchange)
        guard exchange.isOpen else {
            // The client may be sending the body already.
            request.connection.lingers = true
            request.stage = .handled(exchange)
            return false
        }
        // The owner may have added header fields of its own.
        exchange.headers.removeFirst()
        guard case .stream(let sink, let maximumBytes) = decision else {
            let limit = configuration.maximumBodyBytes
            guard length <= limit else { throw .bodyTooLarge(limit: limit) }
            return true
        }
        request.sink = sink
        guard length <= maximumBytes else { throw .bodyTooLarge(limit: maximumBytes) }
        exchange.sink = sink
        connections.expectsBody(request.connection)
        request.stage = .streamingBody(exchange, sink, maximumBytes: maximumBytes)
        return false
    }

    /// Takes a piece of the body.
    ///
    /// - Returns: False if MHD must suspend the connection and deliver the piece again later.
    func readBody(_ piece: UnsafeRawBufferPointer, of request: RequestState) -> Bool {
        guard case .streamingBody(let exchange, let sink, let maximumBytes) = request.stage else {
            buffer(piece, of: request)
            return true
        }
        guard piece.count <= maximumBytes - exchange.streamedBytes else {
            refuseBody(of: exchange, request, .bodyTooLarge(limit: maximumBytes))
            return true
        }
        switch sink.receive(piece) {
        case .accepted:
            connections.streamed(piece.count, of: exchange)
            return true
        case .blocked:
            connections.pauseBody(of: exchange)
            return false
        case .refused(let status, let detail):
            refuseBody(of: exchange, request, RequestRefusal(status, detail))
            return true
        }
    }

    /// Takes a piece of a body that is kept in memory, or drops a piece of a body that was refused.
    private func buffer(_ piece: UnsafeRawBufferPointer, of request: RequestState) {
        switch request.stage {
        case .bufferingBody(let exchange):
            let limit = configuration.maximumBodyBytes
            guard piece.count <= limit - exchange.request.body.count else {
                return refuseBody(of: exchange, request, .bodyTooLarge(limit: limit))
            }
            guard connections.reserveBodyBytes(piece.count, for: request.connection) else {
                let limit = configuration.maximumTotalBodyBytes
                let detail =
                    "All request bodies together exceed the server's limit of \(limit, counting: "byte"). Retry later."
                return refuseBody(of: exchange, request, RequestRefusal(503, detail))
            }
            append(piece, to: exchange)
        case .draining(let exchange, let refusal, let remainingBytes):
            request.stage = .draining(exchange, refusal, remainingBytes: remainingBytes - piece.count)
            if piece.count >= remainingBytes { request.connection.abandon(resets: true) }
        case .refused, .head, .handled, .streamingBody: break
        }
    }

    private func append(_ piece: UnsafeRawBufferPointer, to exchange: Exchange) {
        let connection = exchange.connection
        connections.received(piece.count, connection)
        connection.lastBodyArrival = connections.now
        // After the first MiB, a body whose length is known grows once and not by doubling, which would copy all of it
        // several times on this thread. The kernel provides the memory when bytes arrive.
        if let length = exchange.contentLength, exchange.request.body.count + piece.count > Self.firstCapacity {
            exchange.request.body.reserveCapacity(length)
        }
        exchange.request.body.append(contentsOf: piece)
    }

    /// Refuses a body that is arriving, because another caller needs its memory.
    func evictBody(of request: RequestState) {
        guard case .bufferingBody(let exchange) = request.stage else { return }
        let detail =
            "All request bodies together exceed the server's limit of "
            + "\(configuration.maximumTotalBodyBytes, counting: "byte"), and you hold the largest part. Retry later, "
            + "and send fewer or smaller bodies at once."
        refuseBody(of: exchange, request, RequestRefusal(503, detail))
    }

    /// Passes a complete request to the handler.
    ///
    /// MHD calls this again when it resumes the connection.
    func finish(_ request: RequestState) -> NextStep {
        switch request.stage {
        case .bufferingBody(let exchange), .streamingBody(let exchange, _, _):
            request.stage = .handled(exchange)
            return connections.handle(exchange) ? .suspend : .send
        case .draining(let exchange, let refusal, _) where !request.connection.isClosing:
            let method = exchange.request.method
            refuse(request, refusal, method: method, target: exchange.request.location.bytes)
            return .send
        case .head, .refused, .draining, .handled:
            // A handled request gets here if its connection was resumed without a response, because the client hung up.
            return .close
        }
    }

    /// Refuses a request with a response that MHD sends before it closes the connection.
    private func refuse(_ request: RequestState, _ refusal: RequestRefusal, method: String, target: [UInt8]?) {
        let response = configuration.prepare(configuration.response(to: refusal))
        let summary = ResponseSummary(response)
        request.stage = .refused(RequestState.RefusedRequest(method: method, target: target, response: summary))
        request.connection.lingers = true
        MicroHTTPD.queue(response, on: request.connection.handle)
        connections.queued(request.connection)
    }

    /// Refuses a body while it is arriving, then drains it for a while.
    ///
    /// MHD accepts no response while it reads a body. The kernel resets a socket that is closed with unread bytes in
    /// it, so a client that is still sending would never see the response. Therefore the response is written here,
    /// followed by the end of the stream. The rest of the body is read and dropped, up to twice the limit of a body.
    /// Only the library can write into a TLS stream: there the client gets the response when the whole body has
    /// arrived.
    private func refuseBody(of exchange: Exchange, _ request: RequestState, _ refusal: RequestRefusal) {
        exchange.request.body = []
        connections.releaseBodyBytes(of: request.connection)
        request.sink?.end()
        request.sink = nil
        if !configuration.isEncrypted { connections.earlyResponder.respond(refusal, on: request.connection) }
        connections.drain(request.connection)
        request.stage = .draining(exchange, refusal, remainingBytes: configuration.maximumDrainedBytes)
    }
}
