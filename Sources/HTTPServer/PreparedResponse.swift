/// An answer that is made once and sent any number of times, without a copy.
public final class PreparedResponse {
    let status: Int
    /// The C library's response; it counts references, and each connection that sends it has its own.
    let made: OpaquePointer
    /// How many bytes its body has.
    public let bodyBytes: Int

    /// Makes an answer; nil if it cannot be one, such as with a line break in a header.
    public init?(_ response: Response) {
        guard let made = MicroHTTPD.make(response) else { return nil }
        self.made = made
        (status, bodyBytes) = (response.status, response.body.count)
    }

    /// Makes an answer that is sent once, with a body of unknown length; nil if it cannot be one.
    init?(_ head: Response, streaming stream: ResponseStream, isToHead: Bool) {
        guard let made = MicroHTTPD.make(head, streaming: stream, isToHead: isToHead) else { return nil }
        self.made = made
        (status, bodyBytes) = (head.status, 0)
    }

    deinit {
        MicroHTTPD.release(made)
    }
}
