internal import Glibc
internal import Reactor

/// One of this program's own descriptors, to which a run's output goes.
///
/// It may be shared with other programs, so it is not made non-blocking. It is written to when poll(2) says so, and no more
/// at a time than a pipe then takes without blocking (PIPE_BUF, pipe(7)): a reader that does not read does not keep a signal
/// from being heard.
public struct OutputPort {
    private static let portion = Int(PIPE_BUF)

    private let descriptor: Int32
    private let stops: StopRequests

    /// - Parameters:
    ///   - descriptor: where to; it stays the caller's.
    ///   - stops: what a wait hears of.
    public init(_ descriptor: Int32, _ stops: StopRequests) {
        (self.descriptor, self.stops) = (descriptor, stops)
    }

    /// Writes all of it, however long that takes.
    ///
    /// - Parameter bytes: what to write.
    /// - Throws: `outputClosed` if nobody reads any more, `local` if it cannot be written, and what a stop request throws.
    public func write(_ bytes: [UInt8]) throws(ClientError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try stops.wait(for: descriptor, events: Int32(POLLOUT))
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, min(Self.portion, $0.count)) }
            if count >= 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            // Somebody else made it non-blocking.
            case EINTR, EAGAIN: continue
            case EPIPE: throw .outputClosed
            default: throw .local("The output cannot be written: \(SystemError.meaning(of: errno))")
            }
        }
    }
}
