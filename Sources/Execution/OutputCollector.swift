package import Reactor
package import RunModel

/// A consumer of output that keeps all of it in memory.
@ReactorActor
package final class OutputCollector {
    private var bytes: [OutputStream: [UInt8]] = [:]

    /// Creates a collector without output.
    package nonisolated init() {}

    /// Appends a part to a stream.
    package func append(_ part: UnsafeRawBufferPointer, to stream: OutputStream) -> Backpressure {
        bytes[stream, default: []].append(contentsOf: part)
        return .more
    }

    /// Returns the collected output of a stream.
    ///
    /// - Parameters:
    ///   - stream: one of the two streams.
    ///   - totalBytes: the bytes that the command wrote to it, including those beyond its limit.
    /// - Returns: the bytes and that total.
    package func captured(_ stream: OutputStream, totalBytes: Int) -> CapturedOutput {
        CapturedOutput(content: .bytes(bytes[stream] ?? []), totalBytes: totalBytes)
    }
}
