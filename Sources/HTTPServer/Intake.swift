/// A request as it arrives: what MHD carries from one of its callbacks to the next.
final class Intake {
    enum Stage {
        /// The request line is there, the headers are not.
        case line(Result<RequestTarget, RequestRefusal>, targetBytes: Int)
        /// The head is there and accepted; the body is arriving, into its request.
        case body(Exchange)
        /// Its body is arriving, for its sink.
        case streaming(Exchange, any BodySink, maximumBytes: Int)
        /// It was refused with an answer that MHD sends.
        case refused(Refusal)
        /// Its body is too much, which it has been told or will be told when all of it has come; so many more bytes are read
        /// and dropped.
        case draining(Exchange, RequestRefusal, bytesLeft: Int)
        /// The handler has it.
        case handed(Exchange)
    }

    /// What is remembered of a request that was refused.
    struct Refusal {
        let method: String?
        let target: [UInt8]?
        let answer: GivenAnswer
        /// Whether it was written without MHD, and so as a whole.
        var isWritten = false
    }

    let connection: Connection
    /// Where its body goes or has gone, to be told of its end.
    var sink: (any BodySink)?
    /// When the request line had been read; nil if nobody wants to know.
    ///
    /// In nanoseconds of CLOCK_MONOTONIC.
    let start: Int64?
    var stage: Stage

    init(
        target: UnsafeBufferPointer<UInt8>,
        connection: Connection,
        mostBytes: Int,
        start: Int64?
    ) {
        self.connection = connection
        self.start = start
        guard target.count <= mostBytes else {
            let refusal = RequestRefusal(414, "The target is over \(mostBytes) bytes.")
            stage = .line(.failure(refusal), targetBytes: target.count)
            return
        }
        do throws(RequestRefusal) {
            stage = .line(
                .success(try RequestTarget(target, isEncrypted: connection.owner.configuration.isEncrypted)),
                targetBytes: target.count
            )
        } catch {
            stage = .line(.failure(error), targetBytes: target.count)
        }
    }

    /// Takes note of an answer that was not the handler's.
    func refuse(with answer: GivenAnswer, isWritten: Bool) {
        let (method, path): (String?, [UInt8]?) =
            switch stage {
            case .line(let target, _): (nil, try? target.get().bytes)
            case .body(let exchange), .streaming(let exchange, _, _), .draining(let exchange, _, _),
                .handed(let exchange):
                (exchange.request.method, exchange.request.location.bytes)
            case .refused(let refusal): (refusal.method, refusal.target)
            }
        stage = .refused(Refusal(method: method, target: path, answer: answer, isWritten: isWritten))
    }

    /// How the request ended; nil if nobody wants to know.
    ///
    /// - Parameters:
    ///   - isWhole: Whether MHD has sent the whole answer, if it was MHD's to send.
    ///   - now: The time.
    /// - Returns: What is told of it.
    func completed(isWhole: Bool, at now: Int64) -> CompletedRequest? {
        guard let start else { return nil }
        func result(
            _ method: String?,
            _ target: [UInt8]?,
            _ answer: GivenAnswer?,
            isWhole: Bool,
            refused: Bool = true,
            note: (any Sendable)? = nil
        ) -> CompletedRequest {
            CompletedRequest(
                method: method,
                targetBytes: target,
                status: answer?.status,
                bodyBytes: answer.map { Self.sentBytes($0, method) } ?? 0,
                isWhole: answer != nil && isWhole,
                wasRefused: refused,
                nanoseconds: now - start,
                clientAddress: connection.clientAddress,
                note: note
            )
        }
        switch stage {
        case .line(let target, _): return result(nil, try? target.get().bytes, nil, isWhole: false)
        case .body(let exchange), .streaming(let exchange, _, _), .draining(let exchange, _, _):
            return result(exchange.request.method, exchange.request.location.bytes, nil, isWhole: false)
        case .refused(let refusal):
            let isWhole = isWhole || refusal.isWritten
            return result(refusal.method, refusal.target, refusal.answer, isWhole: isWhole)
        case .handed(let exchange):
            let (method, target) = (exchange.request.method, exchange.request.location.bytes)
            return result(method, target, exchange.answer, isWhole: isWhole, refused: false, note: exchange.note)
        }
    }

    /// How many bytes of an answer's body follow its head (RFC 9110, 9.3.2, 15.3.5, 15.4.5).
    private static func sentBytes(_ answer: GivenAnswer, _ method: String?) -> Int {
        method == "HEAD" || answer.status == 204 || answer.status == 304 ? 0 : answer.bodyBytes
    }
}
