/// A body that is made while it is sent: of unknown length, and perhaps not there yet.
///
/// Chunked on HTTP/1.1, and ended by the end of the connection on HTTP/1.0. Belongs to the thread of its server, like the
/// ``Exchange`` that it answers. It is read when the client has taken what was read before, so a slow client costs no memory
/// beside what its owner remembers of where it is.
public final class ResponseStream {
    /// What a read gives.
    public enum Part {
        /// So many bytes, at least one, were put into the buffer.
        case bytes(Int)
        /// There is nothing yet. Whoever owns the stream calls ``ResponseStream/wake()`` when there is.
        case nothingYet
        /// That was all.
        case end
        /// There is more that cannot be had. The connection is closed so that the client sees that it is cut.
        case failure
    }

    private enum State {
        /// It is read whenever the client takes more.
        case flowing
        /// There was nothing; MHD leaves the connection alone.
        case waiting
        /// Its client has hung up while there was nothing, or its server stops.
        case cut
        /// Its request is over.
        case over
    }

    /// Called once, inside `HTTPServer.run()` or `stop()`, when nothing more is read: it was sent, it failed, the client has gone or
    /// the server stops.
    public var onEnd: (() -> Void)?

    private let read: (UnsafeMutableRawBufferPointer) -> Part
    private var state = State.flowing
    /// Its answer's exchange, once there is one; it keeps this stream until the request is over.
    private weak var exchange: Exchange?
    /// How many bytes were given to be sent.
    private(set) var sentBytes = 0

    /// A stream.
    ///
    /// - Parameter read: Called inside `HTTPServer.run()`, with a buffer of at least a hundred bytes, for what comes next. It may not
    ///   answer or wake an exchange.
    public init(_ read: @escaping (UnsafeMutableRawBufferPointer) -> Part) {
        self.read = read
    }

    /// There may be more, or the end: it is read again.
    ///
    /// Of no effect while nobody has read in vain. Outside `HTTPServer.run()` the bytes are sent by the next call of it;
    /// `HTTPServer.timeout` is zero until then.
    public func wake() {
        guard case .waiting = state else { return }
        state = .flowing
        exchange?.resumeStream()
    }

    /// Whether it is the answer of an exchange that is not over.
    public var isOpen: Bool {
        if case .over = state { false } else { exchange != nil }
    }

    func begin(for exchange: Exchange) { self.exchange = exchange }

    /// MHD wants more.
    func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Part {
        guard let exchange else { return .failure }
        let part = if case .flowing = state { read(buffer) } else { Part.failure }
        switch part {
        case .bytes(let count):
            precondition(count > 0 && count <= buffer.count, "a part has a byte, and fits")
            sentBytes += count
        case .nothingYet:
            state = .waiting
            exchange.streamWaits()
        case .failure: exchange.streamFails()
        case .end: break
        }
        return part
    }

    /// The client hung up, or the server stops, while there was nothing: MHD reads once more, and closes.
    func cut() {
        guard case .waiting = state else { return }
        state = .cut
        exchange?.resumeStream()
    }

    /// Nothing more is read.
    func end() {
        state = .over
        let onEnd = onEnd
        // The closure often holds this stream.
        self.onEnd = nil
        onEnd?()
    }
}
