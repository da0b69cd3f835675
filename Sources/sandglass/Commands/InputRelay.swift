internal import CLinux
internal import Glibc
internal import Reactor
internal import System

/// A relay of this program's own input to a command, with backpressure.
@ReactorActor
final class InputRelay {
    private static let bufferBytes = 64 << 10

    private let source: Int32
    private var sourceWatch: Watch?
    private var pipe: Descriptor?
    private var pipeWatch: Watch?
    private var pending: ArraySlice<UInt8> = []
    /// True if the source is a regular file or /dev/null, which are always ready and which epoll(7) rejects.
    private var sourceIsAlwaysReady = false

    private init(source: Int32, pipe: consuming Descriptor) {
        self.source = source
        self.pipe = .some(pipe)
    }

    /// Creates a relay, and returns it with the read end of the pipe to the command.
    static func make(from source: Int32) throws(SystemError) -> (InputRelay, pipe: Int32) {
        var ends: [Int32] = [-1, -1]
        guard sandglass_pipe(&ends, SANDGLASS_PIPE_WRITE_END) == 0 else { throw SystemError("pipe2") }
        let relay = InputRelay(source: source, pipe: Descriptor(owning: ends[1]))
        relay.readNext()
        return (relay, ends[0])
    }

    /// Stops the relay and closes the pipe.
    func finish() {
        sourceWatch?.cancel()
        sourceWatch = nil
        pipeWatch?.cancel()
        pipeWatch = nil
        pipe = nil
    }

    /// Waits for more input after the pipe has taken everything.
    private func readNext() {
        pipeWatch?.cancel()
        pipeWatch = nil
        guard !sourceIsAlwaysReady else { return waitForSpace() }
        guard sourceWatch == nil else { return }
        do {
            sourceWatch = try ReactorActor.watch(source, for: .readable) { [weak self] _ in self?.read() }
        } catch {
            sourceIsAlwaysReady = true
            waitForSpace()
        }
    }

    private func read() {
        let part = [UInt8](unsafeUninitializedCapacity: Self.bufferBytes) { buffer, count in
            count = max(0, Glibc.read(source, buffer.baseAddress, buffer.count))
        }
        guard !part.isEmpty else { return finish() }
        pending = part[...]
        write()
    }

    private func write() {
        while !pending.isEmpty, let raw = pipe?.raw {
            let count = FileIO.retrying { pending.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) } }
            if count < 0, errno == EAGAIN { return waitForSpace() }
            guard count > 0 else { return finish() }  // EPIPE: the command has closed its input
            pending = pending.dropFirst(count)
        }
        readNext()
    }

    private func waitForSpace() {
        sourceWatch?.cancel()
        sourceWatch = nil
        guard pipeWatch == nil, let raw = pipe?.raw else { return }
        do {
            pipeWatch = try ReactorActor.watch(raw, for: .writable) { [weak self] event in self?.pipeIsReady(event) }
        } catch {
            finish()
        }
    }

    private func pipeIsReady(_ event: Interest) {
        if !event.isDisjoint(with: .hangUp) { return finish() }
        if pending.isEmpty { read() } else { write() }
    }
}
