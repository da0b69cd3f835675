internal import CLinux
internal import Glibc
internal import Reactor

/// One output stream of a command: reads while there is something, hands on what is within the limit, counts all of it.
///
/// It never waits for the end of the stream: a process that holds the pipe open holds nobody up. What is past the limit
/// is spliced to /dev/null and never copied.
@Reactor
final class OutputCapture {
    /// How much is read before other events get their turn.
    private static let bytesAtOnce = 1 << 20
    /// A stream that fills this much of a standard pipe (64 KiB) at once gets a larger one, so that its writer, on another
    /// processor, is not put to sleep and woken for every piece: 1 MiB lets 1.5 times as much through as 256 KiB.
    private static let busyRead = 32 << 10
    private static let busyPipe = 256 << 10
    private static let largePipe = 1 << 20
    /// A user's pipes may hold 64 MiB before new ones shrink to a page or two (pipe(7)): few may be so large.
    private static let mostLargePipes = 16
    private static var largePipes = 0

    /// One buffer for all streams: the reactor reads one at a time.
    private static let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    private static let null = Descriptor(owning: open("/dev/null", O_WRONLY | O_CLOEXEC))

    private var pipe: Descriptor?
    private var watch: Watch?
    private var remaining: Int
    private var enlarged = false
    private var isLarge = false
    private let sink: @Reactor (UnsafeRawBufferPointer) -> SinkAnswer
    private let onPassingLimit: @Reactor () -> Void

    /// How many bytes the command wrote, also past the limit.
    private(set) var totalBytes = 0

    init(
        pipe: consuming Descriptor,
        limit: Int,
        sink: @escaping @Reactor (UnsafeRawBufferPointer) -> SinkAnswer,
        onPassingLimit: @escaping @Reactor () -> Void
    ) throws(SystemError) {
        self.pipe = .some(pipe)
        remaining = limit
        self.sink = sink
        self.onPassingLimit = onPassingLimit
        try resume()
    }

    /// Goes on after a pause.
    func resume() throws(SystemError) {
        guard watch == nil, let raw = pipe?.raw else { return }
        watch = try Reactor.watch(raw, for: .readable) { [weak self] _ in self?.read() }
    }

    /// Takes what is in the pipe now, for the last time.
    ///
    /// Whoever could still write to it is gone.
    func finish() {
        while step() {}
        close()
    }

    private func read() {
        let before = totalBytes
        // No watch: its taker asked for a pause.
        while totalBytes < before + Self.bytesAtOnce, watch != nil {
            let start = totalBytes
            guard step() else { return }
            // Most likely that was all there is, and if not, epoll says so at the price of the call that would find out.
            if totalBytes - start < Self.busyRead { return }
        }
    }

    /// Takes one part.
    ///
    /// - Returns: whether there may be more.
    private func step() -> Bool {
        guard let raw = pipe?.raw else { return false }
        let count = remaining > 0 ? keep(raw) : drop(raw)
        if count > 0 { return pipe != nil }
        if count < 0, errno == EAGAIN || errno == EINTR { return errno == EINTR }
        close()
        return false
    }

    private func keep(_ raw: Int32) -> Int {
        let count = Glibc.read(raw, Self.buffer.baseAddress, Self.buffer.count)
        guard count > 0 else { return count }
        totalBytes += count
        if count >= Self.busyRead { enlarge(raw) }
        let kept = min(count, remaining)
        remaining -= kept
        let answer = sink(UnsafeRawBufferPointer(rebasing: Self.buffer[..<kept]))
        if count > kept { onPassingLimit() }
        switch answer {
        case .more: break
        case .pause:
            // Not an empty interest: a hang-up would be told again and again.
            watch?.cancel()
            watch = nil
        case .close: close()
        }
        return count
    }

    private func enlarge(_ raw: Int32) {
        guard !enlarged else { return }
        enlarged = true
        // May be refused once this user's pipes hold too much: then it stays as it is.
        if Self.largePipes < Self.mostLargePipes, sandglass_set_pipe_size(raw, Int32(Self.largePipe)) >= 0 {
            isLarge = true
            Self.largePipes += 1
        } else {
            _ = sandglass_set_pipe_size(raw, Int32(Self.busyPipe))
        }
    }

    private func drop(_ raw: Int32) -> Int {
        let count = sandglass_splice(raw, Self.null.raw, Self.bytesAtOnce)
        guard count > 0 else { return count }
        totalBytes += count
        if count >= Self.busyRead { enlarge(raw) }
        onPassingLimit()
        return count
    }

    private func close() {
        watch?.cancel()
        watch = nil
        pipe = nil
        if isLarge { Self.largePipes -= 1 }
        isLarge = false
    }
}
