internal import Glibc
internal import Synchronization
internal import System

/// The destination of log lines: a descriptor, usually standard error.
///
/// Each line is one write(2), so that lines of several threads and processes never mix. Writing never blocks: if a pipe
/// is full because its reader does not read, the line is dropped and counted. The descriptor may be shared with other
/// programs and therefore stays in blocking mode. poll(2) reports whether a pipe takes PIPE_BUF bytes, and no line is
/// longer.
package final class LogOutput: Sendable {
    private let descriptor: Int32
    private let lock = Lock(())
    private let dropped = Atomic<UInt64>(0)

    /// Creates an output to a descriptor, which the caller still owns.
    package init(descriptor: Int32) { self.descriptor = descriptor }

    package static let standardError = LogOutput(descriptor: STDERR_FILENO)

    /// The number of dropped lines.
    package var droppedLines: UInt64 { dropped.load(ordering: .relaxed) }

    /// Writes a line, or drops it if the descriptor is not ready.
    package func write(_ line: [UInt8]) {
        let isWritten = lock.withLock { _ in
            var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&event, 1, 0) > 0, event.revents & Int16(POLLOUT) != 0 else { return false }
            return line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == line.count
        }
        if !isWritten { dropped.wrappingAdd(1, ordering: .relaxed) }
    }
}
