internal import System

/// The body of a response that is produced while it is sent.
///
/// Its length is unknown, and its bytes may arrive later.
///
/// The body is chunked on HTTP/1.1, and ends with the connection on HTTP/1.0. A stream belongs to the thread of its
/// server, like its ``Exchange``. The server reads more only when the client has taken the previous bytes. So a slow
/// client costs no memory beside the position that the stream's owner keeps.
package final class ResponseStream {
    /// The result of a read.
    package enum Part {
        /// This number of bytes, at least one, was written to the buffer.
        case bytes(Int)
        /// No bytes are available yet. The stream's owner calls ``ResponseStream/wake()`` when there are.
        case nothingYet
        /// The body is complete.
        case end
        /// The rest of the body cannot be read. The server closes the connection, which shows the client that the body
        /// is incomplete.
        case failure
    }

    private enum State {
        /// The server reads the stream whenever the client takes more.
        case flowing
        /// The last read found nothing, and the connection is suspended.
        case waiting
        /// The client hung up or the server stopped while there was nothing to send.
        case cut
        /// The request is complete.
        case over
    }

    /// The closure that the server calls once, inside `HTTPDaemon.run()` or `stop()`, when it will not read the stream
    /// again.
    ///
    /// The reason is that the body was sent, reading failed, the client hung up or the server stops.
    package var onEnd: (() -> Void)?

    private let read: (UnsafeMutableRawBufferPointer) -> Part
    private var state = State.flowing
    /// The exchange of the response, once there is one.
    ///
    /// The exchange keeps this stream until the request is complete.
    private weak var exchange: Exchange?
    /// The number of bytes that were read in order to be sent.
    private(set) var sentBytes = 0

    /// Creates a stream.
    ///
    /// - Parameter read: Called inside `HTTPDaemon.run()` with a buffer of at least a hundred bytes for the next bytes.
    ///   It must not respond to or wake an exchange.
    package init(_ read: @escaping (UnsafeMutableRawBufferPointer) -> Part) {
        self.read = read
    }

    /// Makes the server read the stream again, because there may be more bytes or the end.
    ///
    /// The call has no effect unless the last read returned `nothingYet`. If it is made outside `HTTPDaemon.run()`, the
    /// next `run()` sends the bytes; `HTTPDaemon.timeout` is zero until then.
    package func wake() {
        guard case .waiting = state else { return }
        state = .flowing
        exchange?.resumeStream()
    }

    /// True if the stream is the response of an exchange that is not complete.
    package var isOpen: Bool {
        if case .over = state { false } else { exchange != nil }
    }

    func begin(for exchange: Exchange) { self.exchange = exchange }

    /// Reads the next bytes for MHD.
    func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Part {
        guard let exchange else { return .failure }
        let part = if case .flowing = state { read(buffer) } else { Part.failure }
        switch part {
        case .bytes(let count):
            precondition(
                count > 0 && count <= buffer.count,
                "A read must return 1 to \(buffer.count, counting: "byte")."
            )
            sentBytes += count
        case .nothingYet:
            state = .waiting
            exchange.suspendStream()
        case .failure: exchange.streamFailed()
        case .end: break
        }
        return part
    }

    /// Cuts a stream that has nothing to send.
    ///
    /// MHD then reads once more, fails and closes the connection.
    func cut() {
        guard case .waiting = state else { return }
        state = .cut
        exchange?.resumeStream()
    }

    /// Ends the stream.
    func end() {
        state = .over
        let onEnd = onEnd
        // The closure often holds this stream.
        self.onEnd = nil
        onEnd?()
    }
}
