internal import System

/// The state of a request in progress, which MHD passes from one callback to the next.
final class RequestState {
    enum Stage {
        /// The request line has arrived, and the header fields have not.
        case head(Result<RequestTarget, RequestRefusal>, targetBytes: Int)
        /// The head was accepted, and the body is arriving in memory.
        case bufferingBody(Exchange)
        /// The head was accepted, and the body is arriving for its sink.
        case streamingBody(Exchange, any BodySink, maximumBytes: Int)
        /// The body was refused, and `remainingBytes` more bytes are read and dropped. The client gets the refusal at
        /// once, or, in a TLS stream, when the whole body has arrived.
        case draining(Exchange, RequestRefusal, remainingBytes: Int)
        /// The request was refused, with a response that MHD sends.
        case refused(RefusedRequest)
        /// The handler has the request.
        case handled(Exchange)
    }

    /// The parts of a refused request that are reported when it is complete.
    struct RefusedRequest {
        let method: String?
        let target: [UInt8]?
        let response: ResponseSummary
        /// True if the whole response was written without MHD.
        var isWritten = false
    }

    let connection: Connection
    /// The sink of the body, which must be notified when the request ends.
    var sink: (any BodySink)?
    /// The end of the request line, or nil if completions are not reported.
    let start: MonotonicTime?
    var stage: Stage

    /// Begins a request.
    ///
    /// - Parameters:
    ///   - target: The request target.
    ///   - connection: The connection.
    ///   - maximumBytes: The limit for the size of the target.
    ///   - start: The current time, or nil if completions are not reported.
    init(target: UnsafeBufferPointer<UInt8>, connection: Connection, maximumBytes: Int, start: MonotonicTime?) {
        self.connection = connection
        self.start = start
        guard target.count <= maximumBytes else {
            stage = .head(.failure(.targetTooLong(limit: maximumBytes)), targetBytes: target.count)
            return
        }
        do throws(RequestRefusal) {
            stage = .head(
                .success(try RequestTarget(target, isEncrypted: connection.table.configuration.isEncrypted)),
                targetBytes: target.count
            )
        } catch {
            stage = .head(.failure(error), targetBytes: target.count)
        }
    }

    /// Records a response that was sent without the handler.
    func refuse(with response: ResponseSummary, isWritten: Bool) {
        let (method, path): (String?, [UInt8]?) =
            switch stage {
            case .head(let target, _): (nil, try? target.get().bytes)
            case .bufferingBody(let exchange), .streamingBody(let exchange, _, _), .draining(let exchange, _, _),
                .handled(let exchange):
                (exchange.request.method, exchange.request.location.bytes)
            case .refused(let request): (request.method, request.target)
            }
        stage = .refused(RefusedRequest(method: method, target: path, response: response, isWritten: isWritten))
    }

    /// Makes the record of the completed request.
    ///
    /// - Parameters:
    ///   - isSent: Whether MHD has sent the whole response, if MHD had to send it.
    ///   - now: The current time.
    /// - Returns: The record, or nil if completions are not reported.
    func completed(isSent: Bool, at now: MonotonicTime) -> CompletedRequest? {
        guard let start else { return nil }
        func record(
            _ method: String?,
            _ target: [UInt8]?,
            _ response: ResponseSummary?,
            isSent: Bool,
            wasRefused: Bool = true,
            metadata: (any Sendable)? = nil
        ) -> CompletedRequest {
            CompletedRequest(
                method: method,
                targetBytes: target,
                status: response?.status,
                bodyBytes: response.map { Self.sentBytes($0, method) } ?? 0,
                isSent: response != nil && isSent,
                wasRefused: wasRefused,
                nanoseconds: Int64(now.nanoseconds - start.nanoseconds),
                clientAddress: connection.clientAddress,
                metadata: metadata
            )
        }
        switch stage {
        case .head(let target, _): return record(nil, try? target.get().bytes, nil, isSent: false)
        case .bufferingBody(let exchange), .streamingBody(let exchange, _, _), .draining(let exchange, _, _):
            return record(exchange.request.method, exchange.request.location.bytes, nil, isSent: false)
        case .refused(let request):
            let isSent = isSent || request.isWritten
            return record(request.method, request.target, request.response, isSent: isSent)
        case .handled(let exchange):
            return record(
                exchange.request.method,
                exchange.request.location.bytes,
                exchange.response,
                isSent: isSent,
                wasRefused: false,
                metadata: exchange.metadata
            )
        }
    }

    /// Returns the number of body bytes that follow the head of a response (RFC 9110, 9.3.2, 15.3.5, 15.4.5).
    private static func sentBytes(_ response: ResponseSummary, _ method: String?) -> Int {
        method == "HEAD" || response.status == 204 || response.status == 304 ? 0 : response.bodyBytes
    }
}

/// The reason why a request is refused before the handler sees it.
package struct RequestRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// The status of the response, such as 400 or 413, or the status that a sink chose.
    package let status: Int
    /// A sentence for the client.
    package let detail: String

    init(_ status: Int, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    static func malformed(_ detail: String) -> RequestRefusal { RequestRefusal(400, detail) }

    static func bodyTooLarge(limit: Int) -> RequestRefusal {
        RequestRefusal(413, "The request body exceeds the limit of \(limit, counting: "byte").")
    }

    static func headTooSlow(limit: Duration) -> RequestRefusal {
        RequestRefusal(
            408,
            "The request head did not arrive in time. Retry on a new connection, and send it within \(text(of: limit))."
        )
    }

    static func bodyTooSlow(limit: Duration, rate: Int) -> RequestRefusal {
        RequestRefusal(
            408,
            "The request body did not arrive in time. Retry on a new connection, and send it within \(text(of: limit))"
                + (rate > 0 ? ", or at \(rate, counting: "byte") per second." : ".")
        )
    }

    private static func text(of time: Duration) -> String {
        let seconds = time / .seconds(1)
        return seconds == seconds.rounded() ? "\(Int(seconds), counting: "second")" : "\(seconds) seconds"
    }

    static func targetTooLong(limit: Int) -> RequestRefusal {
        RequestRefusal(414, "The request target exceeds the limit of \(limit, counting: "byte").")
    }

    static func headTooLarge(limit: Int) -> RequestRefusal {
        RequestRefusal(431, "The request line and header fields exceed the limit of \(limit, counting: "byte").")
    }

    /// The status and the sentence.
    package var description: String { "\(status): \(detail)" }

    /// Creates the refusal that replaces one of MHD's own error pages.
    ///
    /// - Parameters:
    ///   - status: The status of MHD's page.
    ///   - request: The request in progress, or nil if its request line was unreadable.
    ///   - configuration: The limits. MHD only knows the size of its memory.
    init(errorPage status: Int, of request: RequestState?, _ configuration: HTTPServerConfiguration) {
        switch (status, request?.stage) {
        case (413, .head): self = .bodyTooLarge(limit: configuration.maximumBodyBytes)
        case (413, _): self.init(413, "A chunk of the request body is too large.")
        case (414, _): self = .targetTooLong(limit: configuration.maximumTargetBytes)
        case (431, .head): self = .headTooLarge(limit: configuration.maximumHeaderBytes)
        case (431, _):
            self.init(
                431,
                "The trailer fields exceed the limit of \(configuration.maximumHeaderBytes, counting: "byte")."
            )
        case (500..., .some): self.init(500, "The request could not be read.")
        case (_, nil):
            self.init(400, "The request line is malformed, or its version is neither HTTP/1.1 nor HTTP/1.0.")
        case (_, .head): self.init(400, "The request head is malformed.")
        case (_, .some): self.init(400, "The chunked request body is malformed.")
        }
    }
}
