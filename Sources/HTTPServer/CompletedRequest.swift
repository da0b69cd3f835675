/// How a request ended: what an access log and metrics need.
///
/// There is one for every request, whether it was answered by the handler, refused before it, or never answered at all, and
/// for every connection that was answered although no request line could be read from it.
public struct CompletedRequest: Sendable {
    /// The method as sent; nil if the request was refused before it could be read.
    public let method: String?
    /// The path as sent, still percent-encoded, without the query; nil if it is none.
    public var target: String? { targetBytes.map { String(decoding: $0, as: UTF8.self) } }
    /// The same in bytes: most are never written down.
    let targetBytes: [UInt8]?
    /// The status of the answer; nil if there was none, because the client hung up or the server was stopped.
    public let status: Int?
    /// The bytes of the answer's body, 0 where none is sent, such as to HEAD.
    public let bodyBytes: Int
    /// Whether the whole answer was given to the kernel; false too if there was none.
    public let isWhole: Bool
    /// Whether it never reached the handler.
    public let wasRefused: Bool
    /// From the end of the request line to the end of the answer, in CLOCK_MONOTONIC.
    public var duration: Duration { .nanoseconds(nanoseconds) }
    /// The same in nanoseconds.
    public let nanoseconds: Int64
    /// The client's address, as in ``Exchange/clientAddress``.
    public let clientAddress: String
    /// What the handler left in ``Exchange/note``.
    public let note: (any Sendable)?
}

extension CompletedRequest {
    /// A request of which not even the line was read.
    init(unread answer: GivenAnswer, clientAddress: String) {
        self.init(
            method: nil,
            targetBytes: nil,
            status: answer.status,
            bodyBytes: answer.bodyBytes,
            isWhole: true,
            wasRefused: true,
            nanoseconds: 0,
            clientAddress: clientAddress,
            note: nil
        )
    }
}
