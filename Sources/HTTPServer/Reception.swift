/// Takes requests in: checks the head, collects the body, hands the whole to the handler.
struct Reception {
    /// What MHD has to do with a request that is complete.
    enum Outcome {
        /// Send the answer.
        case answered
        /// Suspend the connection.
        case waits
        /// Close the connection.
        case nobodyLeft
    }

    let connections: Connections

    private var configuration: HTTPServerConfiguration { connections.configuration }

    /// The head has been read.
    func accept(_ head: RequestHead, _ collected: HeaderCollector, into intake: Intake) {
        guard case .line(let target, _) = intake.stage else { return }
        do throws(RequestRefusal) {
            let request = try head.request(
                try target.get(),
                collected,
                mostBytes: configuration.maximumHeaderBytes,
                mostFields: configuration.maximumHeaderFields
            )
            let length = collected.contentLength ?? 0
            let exchange = Exchange(request: request, connection: intake.connection, connections: connections)
            exchange.announcedBytes = collected.contentLength
            if length > 0 || collected.isChunked {
                guard try !decide(exchange, length, intake) else { return }
            }
            // What is announced need not come: at most this much is set aside before it does.
            if length > 0 { exchange.request.body.reserveCapacity(min(length, 1 << 20)) }
            if length > 0 || collected.isChunked { connections.awaitsBody(intake.connection) }
            intake.stage = .body(exchange)
        } catch {
            refuse(
                intake,
                error,
                method: String(decoding: head.method, as: UTF8.self),
                target: try? target.get().bytes
            )
        }
    }

    /// Asks what is to be done with a body; false if it is to be kept in memory.
    private func decide(_ exchange: Exchange, _ length: Int, _ intake: Intake) throws(RequestRefusal) -> Bool {
        // For the answer of one whose body is not wanted.
        exchange.headers = [HeaderField("Connection", "close")]
        let decision = connections.decide(exchange)
        guard exchange.isOpen else {
            // It may be sending already.
            intake.connection.lingers = true
            intake.stage = .handed(exchange)
            return true
        }
        exchange.headers = []
        guard case .stream(let sink, let maximumBytes) = decision else {
            guard length <= configuration.maximumBodyBytes else { throw bodyRefusal }
            return false
        }
        intake.sink = sink
        guard length <= maximumBytes else { throw Self.refusal(over: maximumBytes) }
        exchange.sink = sink
        connections.awaitsBody(intake.connection)
        intake.stage = .streaming(exchange, sink, maximumBytes: maximumBytes)
        return true
    }

    /// A piece of the body has been read.
    ///
    /// - Returns: False if it has to come again: the connection is to be suspended meanwhile.
    func receive(_ piece: UnsafeRawBufferPointer, into intake: Intake) -> Bool {
        guard case .streaming(let exchange, let sink, let maximumBytes) = intake.stage else {
            keep(piece, in: intake)
            return true
        }
        guard piece.count <= maximumBytes - exchange.streamedBytes else {
            refuseBody(exchange, intake, Self.refusal(over: maximumBytes))
            return true
        }
        switch sink.receive(piece) {
        case .taken:
            connections.passes(piece.count, of: exchange)
            return true
        case .later:
            connections.pause(exchange)
            return false
        case .refused(let status, let detail):
            refuseBody(exchange, intake, RequestRefusal(status, detail))
            return true
        }
    }

    /// A piece came of a body that is kept in memory, or of one that is not wanted.
    private func keep(_ piece: UnsafeRawBufferPointer, in intake: Intake) {
        switch intake.stage {
        case .body(let exchange):
            guard piece.count <= configuration.maximumBodyBytes - exchange.request.body.count else {
                return refuseBody(exchange, intake, bodyRefusal)
            }
            guard connections.takes(piece.count, of: intake.connection) else {
                return refuseBody(exchange, intake, RequestRefusal(503, "The server has no room for more bodies."))
            }
            exchange.request.body.append(contentsOf: piece)
        case .draining(let exchange, let refusal, let bytesLeft):
            intake.stage = .draining(exchange, refusal, bytesLeft: bytesLeft - piece.count)
            if piece.count >= bytesLeft { intake.connection.giveUp(resets: true) }
        case .refused, .line, .handed, .streaming: break
        }
    }

    /// The whole request has been read, or MHD asks again for its answer.
    func finish(_ intake: Intake) -> Outcome {
        switch intake.stage {
        case .body(let exchange), .streaming(let exchange, _, _):
            intake.stage = .handed(exchange)
            return connections.handle(exchange) ? .waits : .answered
        case .draining(let exchange, let refusal, _) where !intake.connection.hasLastWord:
            let request = exchange.request
            refuse(intake, refusal, method: request.method, target: request.location.bytes)
            return .answered
        case .line, .refused, .draining, .handed:
            // Handed and asked about again: it was resumed without an answer, for its client hung up.
            return .nobodyLeft
        }
    }

    private var bodyRefusal: RequestRefusal { Self.refusal(over: configuration.maximumBodyBytes) }

    private static func refusal(over bytes: Int) -> RequestRefusal {
        RequestRefusal(413, "The body is over \(bytes) bytes.")
    }

    /// Answers by way of MHD, which then closes the connection.
    private func refuse(_ intake: Intake, _ refusal: RequestRefusal, method: String, target: [UInt8]?) {
        let response = connections.prepare(configuration.response(to: refusal))
        let answer = GivenAnswer(status: response.status, bodyBytes: response.bodyBytes)
        intake.stage = .refused(Intake.Refusal(method: method, target: target, answer: answer))
        intake.connection.lingers = true
        MicroHTTPD.queue(response, on: intake.connection.handle)
        connections.answered(intake.connection)
    }

    /// Answers a body that is too long while it is still being sent, then reads on for a while.
    ///
    /// MHD takes no answer while it reads a body, and a socket that is closed with unread bytes in it is
    /// reset: the client, busy sending, would never see the answer. So the answer is written here, with
    /// the end of the stream after it, and what comes is read and dropped up to twice what a body may have. Into an
    /// encrypted stream nothing can be written here: there the answer comes when the whole body has.
    private func refuseBody(_ exchange: Exchange, _ intake: Intake, _ refusal: RequestRefusal) {
        exchange.request.body = []
        intake.sink?.end()
        intake.sink = nil
        if !configuration.isEncrypted { connections.answerEarly(intake.connection, refusal) }
        connections.drains(intake.connection)
        intake.stage = .draining(
            exchange,
            refusal,
            bytesLeft: max(2 * min(configuration.maximumBodyBytes, Int.max / 2), 1 << 20)
        )
    }
}
