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
            guard length <= configuration.maximumBodyBytes else { throw bodyRefusal }
            let exchange = Exchange(request: request, connection: intake.connection, connections: connections)
            // What is announced need not come: at most this much is set aside before it does.
            if length > 0 { exchange.request.body.reserveCapacity(min(length, 1 << 20)) }
            if length > 0 || collected.isChunked { connections.awaitsBody(intake.connection) }
            intake.stage = .body(exchange)
        } catch {
            refuse(
                intake,
                error,
                method: String(decoding: head.method, as: UTF8.self),
                target: try? target.get().target
            )
        }
    }

    /// A piece of the body has been read.
    func receive(_ piece: UnsafeRawBufferPointer, into intake: Intake) {
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
        case .refused, .line, .handed: break
        }
    }

    /// The whole request has been read, or MHD asks again for its answer.
    func finish(_ intake: Intake) -> Outcome {
        switch intake.stage {
        case .body(let exchange):
            intake.stage = .handed(exchange)
            return connections.handle(exchange) ? .waits : .answered
        case .draining(let exchange, let refusal, _) where !intake.connection.hasLastWord:
            let request = exchange.request
            refuse(intake, refusal, method: request.method, target: request.target)
            return .answered
        case .line, .refused, .draining, .handed:
            // Handed and asked about again: it was resumed without an answer, for its client hung up.
            return .nobodyLeft
        }
    }

    private var bodyRefusal: RequestRefusal {
        RequestRefusal(413, "The body is over \(configuration.maximumBodyBytes) bytes.")
    }

    /// Answers by way of MHD, which then closes the connection.
    private func refuse(_ intake: Intake, _ refusal: RequestRefusal, method: String, target: String?) {
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
        if !configuration.isEncrypted { connections.answerEarly(intake.connection, refusal) }
        connections.drains(intake.connection)
        intake.stage = .draining(
            exchange,
            refusal,
            bytesLeft: max(2 * min(configuration.maximumBodyBytes, Int.max / 2), 1 << 20)
        )
    }
}
