/// What whoever takes a command's output says to a part of it.
public enum SinkAnswer: Sendable, Hashable {
    /// Go on.
    case more
    /// This part is taken; nothing more until the stream is resumed.
    case pause
    /// Nobody wants this stream any more: the command gets SIGPIPE when it goes on writing, as in any pipeline.
    case close
}
