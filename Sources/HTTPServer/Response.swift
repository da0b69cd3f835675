/// An answer: what `Exchange.respond(_:)` sends.
///
/// `Date`, `Content-Length` and, where it applies, `Connection` are added; `Content-Length` and
/// `Transfer-Encoding` among the headers are left out. An answer to HEAD takes the same body as one to
/// GET: its length is sent, its bytes are not. The same goes for 304 (RFC 9110, 8.6).
public struct Response: Sendable {
    /// The status code, 200 to 599.
    public var status: Int
    /// The header fields, sent in this order.
    public var headers: [HeaderField]
    /// The content.
    public var body: ResponseBody

    /// Creates an answer.
    public init(status: Int, headers: [HeaderField] = [], body: ResponseBody = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
