/// Where a body goes that is too large for memory, piece by piece, on the thread of the server.
///
/// Once all of it has come the handler is called, finds it as ``Exchange/sink``, and decides what becomes of it.
public protocol BodySink: AnyObject {
    /// Takes a piece, which is valid during the call alone.
    func receive(_ piece: UnsafeRawBufferPointer) -> BodySinkAnswer

    /// The request is over, answered or not: whatever has not been kept by then is of no use.
    ///
    /// Called once for each sink, also after the handler has had it.
    func end()
}

/// What becomes of a piece of a body.
public enum BodySinkAnswer: Sendable {
    /// It was taken.
    case taken
    /// There is no room for it now: it comes again after ``Exchange/continueBody()``.
    case later
    /// This body cannot be taken, which its client is told with this status and sentence.
    case refused(status: Int, detail: String)
}
