package import Reactor
package import RunModel

/// A consumer of output that keeps all of it in memory.
@ReactorActor
package final class OutputCollector {
    /// The kept bytes of a stream: the beginning and, beyond the limit, the end.
    private struct Kept {
        var head: [UInt8] = []
        var tail: [UInt8] = []
        /// The number of bytes between both that are no longer kept.
        var dropped = 0

        mutating func append(_ part: UnsafeRawBufferPointer, headLimit: Int, limit: Int) {
            let first = part.prefix(headLimit - head.count)
            head.append(contentsOf: first)
            tail.append(contentsOf: part.dropFirst(first.count))
            // Removing many bytes at a time costs less than removing some for each part.
            if tail.count > 64 << 10, tail.count / 2 > limit - head.count { trim(to: limit) }
        }

        mutating func trim(to limit: Int) {
            let excess = head.count + tail.count - limit
            guard excess > 0 else { return }
            tail.removeFirst(excess)
            dropped += excess
        }
    }

    private let keepOutput: KeepOutput
    private let limit: Int
    private var streams: [OutputStream: Kept] = [:]

    /// Creates a collector without output.
    ///
    /// - Parameters:
    ///   - keepOutput: the part that is kept of a stream that exceeds the limit.
    ///   - limit: the maximum number of kept bytes of a stream.
    package nonisolated init(keeping keepOutput: KeepOutput = .head, limit: Int = .max) {
        (self.keepOutput, self.limit) = (keepOutput, limit)
    }

    /// Appends a part to a stream.
    package func append(_ part: UnsafeRawBufferPointer, to stream: OutputStream) -> Backpressure {
        streams[stream, default: Kept()].append(part, headLimit: keepOutput.headBytes(of: limit), limit: limit)
        return .more
    }

    /// Returns the collected output of a stream.
    ///
    /// - Parameters:
    ///   - stream: one of the two streams.
    ///   - totalBytes: the bytes that the command wrote to it, including those beyond its limit.
    /// - Returns: the bytes and that total.
    package func captured(_ stream: OutputStream, totalBytes: Int) -> CapturedOutput {
        guard var kept = streams[stream] else { return CapturedOutput(content: .bytes([]), totalBytes: totalBytes) }
        kept.trim(to: limit)
        let start = kept.head.count + kept.dropped
        return CapturedOutput(
            content: .bytes(kept.head + kept.tail),
            totalBytes: totalBytes,
            tail: kept.dropped > 0 ? start..<start + kept.tail.count : 0..<0
        )
    }
}
