internal import CLinux
internal import Glibc
internal import Reactor
internal import System

/// A consumer's reply to one part of the output.
package enum Backpressure: Sendable, Hashable {
    /// The consumer is ready for the next part.
    case more
    /// The consumer has taken this part and wants no more until the stream is resumed.
    case pause
    /// The consumer wants no more. The command's next write raises SIGPIPE, as in any pipeline.
    case close
}

/// The consumer of the bytes of a stream that are beyond its limit.
struct ExcessOutput {
    /// Returns whether the consumer takes the bytes.
    let isWanted: @ReactorActor () -> Bool
    /// Takes bytes, with the offset of the first one in the stream.
    let take: @ReactorActor (Int, UnsafeRawBufferPointer) -> Void

    /// No consumer.
    static let none = ExcessOutput(isWanted: { false }, take: { _, _ in })
}

/// The reader of one output stream of a command, which passes on the bytes within the limit and counts all bytes.
///
/// The reader never waits for the end of the stream, so a process that holds the pipe open delays nothing. Bytes beyond
/// the limit that nobody takes are spliced to /dev/null and never copied.
@ReactorActor
final class OutputCapture {
    /// The bytes that one event reads before other events get their turn.
    private static let bytesAtOnce = 1 << 20
    /// The bytes of a busy read: a stream that fills this much of a default pipe (64 KiB) at once gets a larger pipe.
    ///
    /// The kernel then need not put the writer, which runs on another processor, to sleep and wake it for every part. A
    /// pipe of 1 MiB carries 1.5 times as much as one of 256 KiB. Most streams have such a pipe from the start, because
    /// a program that ends at once after a write without waiting (`process.exit()` of Node.js) loses what does not fit.
    private static let busyRead = 32 << 10
    private static let busyPipe = 256 << 10
    private static let largePipe = 1 << 20
    /// The maximum number of large pipes: a user's pipes may hold 64 MiB before new ones shrink to a page or two
    /// (pipe(7)).
    private static let maximumLargePipes = 32
    private static var largePipes = 0

    /// The buffer of all streams: the reactor reads one stream at a time.
    private static let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    private static let null = Descriptor(owning: open("/dev/null", O_WRONLY | O_CLOEXEC))

    private var pipe: Descriptor?
    private var watch: Watch?
    private var remaining: Int
    private var enlarged = false
    private var isLarge = false
    private let sink: @ReactorActor (UnsafeRawBufferPointer) -> Backpressure
    private let excess: ExcessOutput
    private let onPassingLimit: @ReactorActor () -> Void

    /// The bytes that the command wrote, including those beyond the limit.
    private(set) var totalBytes = 0

    init(
        pipe: consuming Descriptor,
        limit: Int,
        sink: @escaping @ReactorActor (UnsafeRawBufferPointer) -> Backpressure,
        excess: ExcessOutput = .none,
        onPassingLimit: @escaping @ReactorActor () -> Void
    ) {
        let raw = pipe.raw
        self.pipe = .some(pipe)
        remaining = limit
        self.sink = sink
        self.excess = excess
        self.onPassingLimit = onPassingLimit
        makeLarge(raw)
    }

    /// Begins to read, or resumes reading after a pause.
    func resume() throws(SystemError) {
        guard watch == nil, let raw = pipe?.raw else { return }
        watch = try ReactorActor.watch(raw, for: .readable) { [weak self] _ in self?.read() }
    }

    /// Reads the bytes that are still in the pipe and closes it.
    ///
    /// No process can write to it any more.
    func finish() {
        while step() {}
        close()
    }

    private func read() {
        let before = totalBytes
        // Without a watch the stream is paused.
        while totalBytes < before + Self.bytesAtOnce, watch != nil {
            let start = totalBytes
            guard step() else { return }
            // The pipe is most likely empty. Otherwise epoll reports it, and that costs no more than a read to find
            // out.
            if totalBytes - start < Self.busyRead { return }
        }
    }

    /// Reads one part.
    ///
    /// - Returns: whether there may be more.
    private func step() -> Bool {
        guard let raw = pipe?.raw else { return false }
        let count = remaining > 0 || excess.isWanted() ? keep(raw) : drop(raw)
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
        let backpressure = kept > 0 ? sink(UnsafeRawBufferPointer(rebasing: Self.buffer[..<kept])) : .more
        if count > kept {
            if excess.isWanted() {
                excess.take(totalBytes - count + kept, UnsafeRawBufferPointer(rebasing: Self.buffer[kept..<count]))
            }
            onPassingLimit()
        }
        switch backpressure {
        case .more: break
        case .pause:
            // The watch ends, because with an empty interest epoll would report a hang-up again and again.
            watch?.cancel()
            watch = nil
        case .close: close()
        }
        return count
    }

    private func enlarge(_ raw: Int32) {
        guard !isLarge, !enlarged else { return }
        enlarged = true
        makeLarge(raw)
        if !isLarge { _ = sandglass_set_pipe_size(raw, Int32(Self.busyPipe)) }
    }

    /// Gives the stream a large pipe, unless there are many of them.
    private func makeLarge(_ raw: Int32) {
        // The kernel may refuse when this user's pipes hold too much. The pipe then keeps its size.
        guard Self.largePipes < Self.maximumLargePipes, sandglass_set_pipe_size(raw, Int32(Self.largePipe)) >= 0 else {
            return
        }
        isLarge = true
        Self.largePipes += 1
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
