internal import CLinux
internal import Glibc
public import Reactor

/// A pipe of which a test gives away one end and keeps the other.
@Reactor
public final class TestPipe {
    /// Which end never blocks.
    public enum NonBlockingEnd: Sendable {
        /// The one to read from.
        case reading
        /// The one to write to.
        case writing
    }

    private var readEnd: Int32?
    private var writeEnd: Int32?

    /// A new, empty pipe.
    public init(nonBlocking end: NonBlockingEnd) throws(SystemError) {
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

    /// The end to read from, while it is this object's.
    public var reading: Int32 { readEnd ?? -1 }

    /// The end to write to, while it is this object's.
    public var writing: Int32 { writeEnd ?? -1 }

    /// Gives the end to read from away.
    public func takeReadEnd() -> Descriptor {
        defer { readEnd = nil }
        return Descriptor(owning: reading)
    }

    /// Gives the end to write to away.
    public func takeWriteEnd() -> Descriptor {
        defer { writeEnd = nil }
        return Descriptor(owning: writing)
    }

    /// Nobody reads any more.
    public func closeReadEnd() {
        if let end = readEnd { close(end) }
        readEnd = nil
    }

    /// Nobody writes any more.
    public func closeWriteEnd() {
        if let end = writeEnd { close(end) }
        writeEnd = nil
    }

    /// Writes what the pipe takes.
    ///
    /// Returns how much that was, or -1.
    @discardableResult
    public func write(_ bytes: [UInt8]) -> Int { Glibc.write(writing, bytes, bytes.count) }

    /// Writes a text that fits.
    @discardableResult
    public func write(_ text: String) -> Int { write(Array(text.utf8)) }

    /// Reads once what is there, at most so much; empty at the end, `nil` if there is nothing yet.
    public func read(atMost limit: Int = 1 << 20) -> [UInt8]? {
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
            count = Glibc.read(reading, buffer.baseAddress, limit)
            initialized = max(0, count)
        }
        return count < 0 ? nil : bytes
    }

    /// Reads until nobody can write any more.
    ///
    /// The end to read from must be the one that never blocks.
    public func readToEnd() async throws -> [UInt8] {
        var bytes: [UInt8] = []
        var watch: Watch?
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            do {
                watch = try Reactor.watch(reading, for: .readable) { _ in
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

    /// Whether the other end of the end to write to is closed everywhere (poll(2), POLLERR).
    public var hasNoReader: Bool {
        var event = pollfd(fd: writing, events: 0, revents: 0)
        return poll(&event, 1, 0) == 1 && event.revents & Int16(POLLERR) != 0
    }

    /// Whether the other end of the end to read from is closed everywhere (poll(2), POLLHUP).
    public var hasNoWriter: Bool {
        var event = pollfd(fd: reading, events: 0, revents: 0)
        return poll(&event, 1, 0) == 1 && event.revents & Int16(POLLHUP) != 0
    }
}

extension TestPipe {
    /// Waits until there is something to read, and reads it.
    @discardableResult
    public func readSomething() async throws -> [UInt8] {
        var watch: Watch?
        return try await withCheckedThrowingContinuation { continuation in
            do {
                watch = try Reactor.watch(reading, for: .readable) { _ in
                    watch?.cancel()
                    continuation.resume(returning: self.read() ?? [])
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}
