internal import Glibc
internal import Locks
internal import Synchronization

/// Where lines go: a descriptor, mostly standard error.
///
/// Each line is one write(2), so that lines of several threads and processes never mix. It never waits: a line for which there is
/// no room, since whoever reads a pipe does not, is dropped and counted. The descriptor may be shared with other programs, so it
/// is not made non-blocking; poll(2) says whether a pipe takes PIPE_BUF bytes, and no line has more.
public final class LogOutput: Sendable {
    private let descriptor: Int32
    private let turn = Lock(())
    private let dropped = Atomic<UInt64>(0)

    /// Lines go to this descriptor, which stays its owner's.
    public init(descriptor: Int32) { self.descriptor = descriptor }

    /// Standard error.
    public static let standardError = LogOutput(descriptor: STDERR_FILENO)

    /// How many lines were dropped.
    public var droppedLines: UInt64 { dropped.load(ordering: .relaxed) }

    /// Writes a line, or drops it.
    public func write(_ line: [UInt8]) {
        let isWritten = turn.withLock { _ in
            var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&event, 1, 0) > 0, event.revents & Int16(POLLOUT) != 0 else { return false }
            return line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == line.count
        }
        if !isWritten { dropped.wrappingAdd(1, ordering: .relaxed) }
    }
}
