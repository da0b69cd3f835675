internal import CLinux
internal import Glibc
package import Reactor
package import System

/// A pipe of which a test gives one end away and keeps the other.
@ReactorActor
package final class TestPipe {
    /// The non-blocking end of a pipe.
    package enum NonBlockingEnd: Sendable {
        /// The read end.
        case reading
        /// The write end.
        case writing
    }

    private var readEnd: Int32?
    private var writeEnd: Int32?

    /// Creates an empty pipe.
    package init(nonBlocking end: NonBlockingEnd) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        let nonBlocking = end == .reading ? SANDGLASS_PIPE_READ_END : SANDGLASS_PIPE_WRITE_END
        guard sandglass_pipe(&ends, nonBlocking) == 0 else { throw SystemError("pipe2") }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    isolated deinit {
        closeReadEnd()
        closeWriteEnd()
    }

    /// The read end, while this object owns it.
    package var reading: Int32 { readEnd ?? -1 }

    /// The write end, while this object owns it.
    package var writing: Int32 { writeEnd ?? -1 }

    /// Gives the read end away.
    package func takeReadEnd() -> Descriptor {
        defer { readEnd = nil }
        return Descriptor(owning: reading)
    }

    /// Gives the write end away.
    package func takeWriteEnd() -> Descriptor {
        defer { writeEnd = nil }
        return Descriptor(owning: writing)
    }

    /// Closes the read end.
    package func closeReadEnd() {
        if let end = readEnd { close(end) }
        readEnd = nil
    }

    /// Closes the write end.
    package func closeWriteEnd() {
        if let end = writeEnd { close(end) }
        writeEnd = nil
    }

    /// Writes as many bytes as the pipe takes and returns their number, or -1.
    @discardableResult
    package func write(_ bytes: [UInt8]) -> Int { Glibc.write(writing, bytes, bytes.count) }

    /// Writes a text that fits into the pipe.
    @discardableResult
    package func write(_ text: String) -> Int { write(Array(text.utf8)) }

    /// Reads once, at most `count` bytes.
    ///
    /// Returns no bytes at the end and `nil` if there is nothing yet.
    package func read(atMost limit: Int = 1 << 20) -> [UInt8]? {
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
            count = Glibc.read(reading, buffer.baseAddress, limit)
            initialized = max(0, count)
        }
        return count < 0 ? nil : bytes
    }

    /// Reads until every writer has closed the pipe.
    ///
    /// The read end must be the non-blocking one.
    package func readToEnd() async throws -> [UInt8] {
        var bytes: [UInt8] = []
        var watch: Watch?
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            do {
                watch = try ReactorActor.watch(reading, for: .readable) { _ in
                    while let part = self.read() {
                        bytes += part
                        guard part.isEmpty else { continue }
                        watch?.cancel()
                        return continuation.resume()
                    }
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
        return bytes
    }

    /// True if every read end is closed (poll(2), POLLERR).
    package var hasNoReader: Bool {
        var event = pollfd(fd: writing, events: 0, revents: 0)
        return poll(&event, 1, 0) == 1 && event.revents & Int16(POLLERR) != 0
    }

    /// True if every write end is closed (poll(2), POLLHUP).
    package var hasNoWriter: Bool {
        var event = pollfd(fd: reading, events: 0, revents: 0)
        return poll(&event, 1, 0) == 1 && event.revents & Int16(POLLHUP) != 0
    }
}

extension TestPipe {
    /// Waits until there is something to read and reads it.
    @discardableResult
    package func readSomething() async throws -> [UInt8] {
        var watch: Watch?
        return try await withCheckedThrowingContinuation { continuation in
            do {
                watch = try ReactorActor.watch(reading, for: .readable) { _ in
                    watch?.cancel()
                    continuation.resume(returning: self.read() ?? [])
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}
