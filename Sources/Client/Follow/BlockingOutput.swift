internal import Glibc
internal import System

/// One of this program's own descriptors as the destination of a run's output.
///
/// The descriptor may be shared with other programs and therefore stays in blocking mode. Each write waits for poll(2),
/// and writes no more than a pipe then takes without blocking (PIPE_BUF, pipe(7)). A reader that does not read can
/// therefore not delay the delivery of a signal.
package struct BlockingOutput {
    private static let maximumWrite = Int(PIPE_BUF)

    private let descriptor: Int32
    private let signals: SignalSource

    /// - Parameters:
    ///   - descriptor: The descriptor, which the caller still owns.
    ///   - signals: The signals to deliver while waiting.
    package init(_ descriptor: Int32, _ signals: SignalSource) {
        (self.descriptor, self.signals) = (descriptor, signals)
    }

    /// Writes all bytes, however long that takes.
    ///
    /// - Throws: `outputClosed` if the reader is gone, `local` if writing fails, and the errors of the signal handler.
    package func write(_ bytes: [UInt8]) throws(ClientError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try signals.wait(for: descriptor, events: Int32(POLLOUT))
            let count = rest.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, min(Self.maximumWrite, $0.count))
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            // Another program that shares the descriptor made it non-blocking.
            case EINTR, EAGAIN: continue
            case EPIPE: throw .outputClosed
            default: throw .local("The output cannot be written: \(SystemError.meaning(of: errno))")
            }
        }
    }
}
