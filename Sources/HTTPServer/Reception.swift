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
            let request = try head.request(try target.get(), collected, mostBytes: configuration.maximumHeaderBytes)
            let length = collected.contentLength ?? 0
            guard length > configuration.maximumBodyBytes else {
                let exchange = Exchange(request: request, connection: intake.connection, connections: connections)
                // What is announced need not come: at most this much is set aside before it does.
                if length > 0 { exchange.request.body.reserveCapacity(min(length, 1 << 20)) }
                intake.stage = .body(exchange)
                return
            }
            guard collected.expectsContinue else {
                return refuseBody(intake, method: request.method, target: request.target)
            }
            throw bodyRefusal
        } catch {
            let response = connections.prepare(configuration.problem(error.status, error.detail))
            intake.stage = .refused(
                Intake.Refusal(
                    method: String(decoding: head.method, as: UTF8.self),
                    target: try? target.get().target,
                    answer: GivenAnswer(status: response.status, bodyBytes: response.bodyBytes)
                )
            )
            MicroHTTPD.queue(response, on: intake.connection.handle)
        }
    }

    /// A piece of the body has been read; false if the connection has to be closed.
    func receive(_ piece: UnsafeRawBufferPointer, into intake: Intake) -> Bool {
        switch intake.stage {
        case .body(let exchange):
            if piece.count > configuration.maximumBodyBytes - exchange.request.body.count {
                refuseBody(intake, method: exchange.request.method, target: exchange.request.target)
            } else {
                exchange.request.body.append(contentsOf: piece)
            }
            return true
        case .draining(let refusal, let bytesLeft):
            intake.stage = .draining(refusal, bytesLeft: bytesLeft - piece.count)
            return piece.count < bytesLeft
        case .refused: return true
        case .line, .handed: return false
        }
    }

    /// The whole request has been read, or MHD asks again for its answer.
    func finish(_ intake: Intake) -> Outcome {
        switch intake.stage {
        case .body(let exchange):
            intake.stage = .handed(exchange)
            return connections.handle(exchange) ? .waits : .answered
        case .line, .refused, .draining, .handed:
            // Handed and asked about again: it was resumed without an answer, for its client hung up.
            return .nobodyLeft
        }
    }

    private var bodyRefusal: RequestRefusal {
        RequestRefusal(413, "The body is over \(configuration.maximumBodyBytes) bytes.")
    }

    /// Answers a body that is too long while it is still being sent, then reads on for a while.
    ///
    /// MHD takes no answer while it reads a body, and a socket that is closed with unread bytes in it is
    /// reset: the client, busy sending, would never see the answer. So the answer is written here, with
    /// the end of the stream after it, and what comes is read and dropped up to twice what a body may have.
    private func refuseBody(_ intake: Intake, method: String, target: String) {
        let refusal = bodyRefusal
        let answer = EarlyAnswer(configuration.problem(refusal.status, refusal.detail))
        answer.write(to: intake.connection.socket)
        intake.stage = .draining(
            Intake.Refusal(method: method, target: target, answer: answer.given),
            bytesLeft: max(2 * min(configuration.maximumBodyBytes, Int.max / 2), 1 << 20)
        )
    }
}
