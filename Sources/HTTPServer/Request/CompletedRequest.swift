/// A record of a completed request, for the access log and metrics.
///
/// The server makes one record for every request: with the handler's response, refused before the handler, or without a
/// response. It also makes one for every connection that got a response although its request line was unreadable.
package struct CompletedRequest: Sendable {
    /// The method as sent, or nil if the request was refused before the method was read.
    package let method: String?
    /// The path as sent, still percent-encoded, without the query, or nil if the target is invalid.
    package var target: String? { targetBytes.map { String(decoding: $0, as: UTF8.self) } }
    /// The bytes of `target`.
    ///
    /// Most of them never become a string.
    let targetBytes: [UInt8]?
    /// The status of the response, or nil if there was none, because the client hung up or the server stopped.
    package let status: Int?
    /// The number of bytes in the body of the response, 0 if none is sent, such as for HEAD.
    package let bodyBytes: Int
    /// True if the server passed the whole response to the kernel.
    ///
    /// False if there was no response.
    package let isSent: Bool
    /// True if the request was refused before the handler.
    package let wasRefused: Bool
    /// The time from the end of the request line to the end of the response, in CLOCK_MONOTONIC.
    package var duration: Duration { .nanoseconds(nanoseconds) }
    /// `duration` in nanoseconds.
    package let nanoseconds: Int64
    /// The client's address, as in ``Exchange/clientAddress``.
    package let clientAddress: String
    /// The handler's value from ``Exchange/metadata``.
    package let metadata: (any Sendable)?
}

extension CompletedRequest {
    /// Creates the record of a response to bytes that contain no readable request line.
    init(unread response: ResponseSummary, clientAddress: String) {
        self.init(
            method: nil,
            targetBytes: nil,
            status: response.status,
            bodyBytes: response.bodyBytes,
            isSent: true,
            wasRefused: true,
            nanoseconds: 0,
            clientAddress: clientAddress,
            metadata: nil
        )
    }
}
