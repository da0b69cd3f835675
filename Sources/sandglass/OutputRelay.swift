internal import Execution
internal import Glibc
internal import Reactor

/// Passes a command's output on to one of this program's own descriptors, as fast as that takes it.
///
/// The descriptor may be shared with other programs, so it is not made non-blocking. Instead it is written to when poll(2)
/// says so, and no more at a time than a pipe then takes without blocking (PIPE_BUF, pipe(7)).
@Reactor
final class OutputRelay {
    private static let portion = Int(PIPE_BUF)

    private let descriptor: Int32
    private let onSpace: @Reactor () -> Void
    private var pending: [UInt8] = []
    private var watch: Watch?
    private var closed = false

    /// Why it could not be written, if it is not that nobody reads (EPIPE).
    private(set) var failure: SystemError?

    /// - Parameters:
    ///   - descriptor: where to.
    ///   - onSpace: called when what was held back has been written.
    init(to descriptor: Int32, onSpace: @escaping @Reactor () -> Void) {
        self.descriptor = descriptor
        self.onSpace = onSpace
    }

    func take(_ part: UnsafeRawBufferPointer) -> SinkAnswer {
        guard !closed else { return .close }
        let done = pending.isEmpty ? write(part, mayBlock: false) : 0
        if closed { return .close }
        guard done < part.count else { return .more }
        pending.append(contentsOf: part[done...])
        waitForSpace()
        return .pause
    }

    /// Writes what was held back, however long that takes: the verdict is out, and nothing depends on this program.
    func finish() {
        watch?.cancel()
        watch = nil
        guard !closed else { return }
        pending.withUnsafeBytes { _ = write($0, mayBlock: true) }
        pending = []
    }

    private func waitForSpace() {
        guard watch == nil else { return }
        watch = try? Reactor.watch(descriptor, for: .writable) { [weak self] _ in self?.spaceCame() }
        // What cannot be watched cannot be full for long either: it is written to as it is.
        if watch == nil { spaceCame(mayBlock: true) }
    }

    private func spaceCame(mayBlock: Bool = false) {
        let done = pending.withUnsafeBytes { write($0, mayBlock: mayBlock) }
        pending.removeFirst(done)
        guard pending.isEmpty || closed else { return }
        pending = []
        watch?.cancel()
        watch = nil
        onSpace()
    }

    /// Writes as much as it can.
    ///
    /// Returns how much that was.
    private func write(_ bytes: UnsafeRawBufferPointer, mayBlock: Bool) -> Int {
        var done = 0
        while done < bytes.count {
            if !mayBlock, !isReady() { return done }
            let count = Glibc.write(
                descriptor,
                bytes.baseAddress?.advanced(by: done),
                min(Self.portion, bytes.count - done)
            )
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                // Somebody else made it non-blocking.
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
