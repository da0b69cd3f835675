public import Reactor
public import Runs

/// Keeps a command's output in memory.
@Reactor
public final class OutputCollector {
    private var bytes: [OutputStream: [UInt8]] = [:]

    /// A collector that has nothing yet.
    public nonisolated init() {}

    /// Keeps a part.
    public func append(_ part: UnsafeRawBufferPointer, to stream: OutputStream) -> SinkAnswer {
        bytes[stream, default: []].append(contentsOf: part)
        return .more
    }

    /// What was kept of a stream.
    ///
    /// - Parameters:
    ///   - stream: which one.
    ///   - totalBytes: how many bytes the command wrote to it.
    /// - Returns: the bytes that were kept, and that total.
    public func captured(_ stream: OutputStream, totalBytes: Int) -> CapturedOutput {
        CapturedOutput(content: .bytes(bytes[stream] ?? []), totalBytes: totalBytes)
    }
}
