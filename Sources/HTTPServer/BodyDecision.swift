/// What is to be done with a body, decided when its request's head is there and nothing of it has been read.
///
/// A request that is answered instead is one whose body is not wanted: nothing of it is read, no 100 (Continue) is sent, and its
/// connection is closed after the answer.
public enum BodyDecision {
    /// Keep it in memory, for ``Request/body``.
    case buffer
    /// Hand it on as it comes. ``HTTPServerConfiguration/maximumBodyBytesInAll`` does not count it.
    case stream(any BodySink, maximumBytes: Int)
}
