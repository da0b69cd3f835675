internal import Execution
internal import Glibc
internal import Reactor
internal import System

/// A relay of a command's output to one of this program's own descriptors, with backpressure.
///
/// The descriptor may be shared with other programs and therefore stays in blocking mode. Each write waits for poll(2),
/// and writes no more than a pipe then takes without blocking (PIPE_BUF, pipe(7)).
@ReactorActor
final class OutputRelay {
    private static let maximumWrite = Int(PIPE_BUF)

    private let descriptor: Int32
    private let onSpace: @ReactorActor () -> Void
    private var pending: [UInt8] = []
    private var watch: Watch?
    private var closed = false

    /// The error of a failed write, unless the reader is gone (EPIPE).
    private(set) var failure: SystemError?

    /// - Parameters:
    ///   - descriptor: The destination.
    ///   - onSpace: Called when all pending bytes have been written.
    init(to descriptor: Int32, onSpace: @escaping @ReactorActor () -> Void) {
        self.descriptor = descriptor
        self.onSpace = onSpace
    }

    func take(_ part: UnsafeRawBufferPointer) -> Backpressure {
        guard !closed else { return .close }
        let done = pending.isEmpty ? write(part, mayBlock: false) : 0
        if closed { return .close }
        guard done < part.count else { return .more }
        pending.append(contentsOf: part[done...])
        waitForSpace()
        return .pause
    }

    /// Writes all pending bytes, and blocks if needed: the command has ended, so nothing else waits for this program.
    func finish() {
        watch?.cancel()
        watch = nil
        guard !closed else { return }
        pending.withUnsafeBytes { _ = write($0, mayBlock: true) }
        pending = []
    }

    private func waitForSpace() {
        guard watch == nil else { return }
        watch = try? ReactorActor.watch(descriptor, for: .writable) { [weak self] _ in self?.writePending() }
        // A descriptor that epoll(7) cannot watch, such as a file, does not stay full. A blocking write is safe.
        if watch == nil { writePending(mayBlock: true) }
    }

    private func writePending(mayBlock: Bool = false) {
        let done = pending.withUnsafeBytes { write($0, mayBlock: mayBlock) }
        pending.removeFirst(done)
        guard pending.isEmpty || closed else { return }
        pending = []
        watch?.cancel()
        watch = nil
        onSpace()
    }

    /// Writes as many bytes as possible, and returns their number.
    private func write(_ bytes: UnsafeRawBufferPointer, mayBlock: Bool) -> Int {
        var done = 0
        while done < bytes.count {
            if !mayBlock, !isReady() { return done }
            let count = FileIO.retrying {
                Glibc.write(
                    descriptor,
                    bytes.baseAddress?.advanced(by: done),
                    min(Self.maximumWrite, bytes.count - done)
                )
            }
            if count < 0, errno == EAGAIN {
                // Another program that shares the descriptor made it non-blocking.
                guard mayBlock else { return done }
                _ = isReady(wait: true)
                continue
            }
            guard count > 0 else {
                if errno != EPIPE { failure = SystemError("write") }
                closed = true
                return done
            }
            done += count
        }
        return done
    }

    private func isReady(wait: Bool = false) -> Bool {
        var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&event, 1, wait ? -1 : 0) > 0
    }
}
