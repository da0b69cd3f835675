/// A destination for a request body that is too large for memory.
///
/// It receives the body in pieces on the thread of the server. When the whole body has arrived, the server calls the
/// handler, which finds the sink as ``Exchange/sink``.
package protocol BodySink: AnyObject {
    /// Takes a piece of the body. The buffer is valid only during the call.
    func receive(_ piece: UnsafeRawBufferPointer) -> BodyBackpressure

    /// Ends the use of the sink, because its request is complete, with a response or without one.
    ///
    /// The server calls this method once for each sink, also after the handler has used it. The sink may then discard
    /// all bytes that its owner has not stored.
    func end()
}

/// A sink that drops the body of a request whose handler reads none.
package final class DiscardingSink: BodySink {
    /// Creates a sink.
    package init() {}

    package func receive(_ piece: UnsafeRawBufferPointer) -> BodyBackpressure { .accepted }

    package func end() {}
}

/// The reaction of a sink to a piece of a body.
package enum BodyBackpressure: Sendable {
    /// The sink has taken the piece.
    case accepted
    /// The sink is full. The server stops reading and delivers the piece again after ``Exchange/resumeBody()``.
    case blocked
    /// The sink refuses this body. The client gets a response with this status and sentence.
    case refused(status: Int, detail: String)
}

/// The owner's choice for a body, made when the head of its request has arrived and before the body is read.
///
/// To refuse the body, respond to the exchange instead. The server then reads no part of the body, sends no 100
/// (Continue), and closes the connection after the response.
package enum BodyDecision {
    /// Keep the body in memory, for ``Request/body``.
    case buffer
    /// Pass the body on as it arrives. ``HTTPServerConfiguration/maximumTotalBodyBytes`` does not count it.
    case stream(any BodySink, maximumBytes: Int)
}
