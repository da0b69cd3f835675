internal import Glibc
internal import Reactor

/// What a command reads from descriptor 0: written as it is read, and ended.
///
/// A command that never reads, or closes its input early, is free to.
@Reactor
final class InputFeed {
    private var pipe: Descriptor?
    private var watch: Watch?
    private var bytes: [UInt8]
    private var done = 0

    init(pipe: consuming Descriptor, bytes: [UInt8]) throws(SystemError) {
        self.pipe = .some(pipe)
        self.bytes = bytes
        write()
        guard let raw = self.pipe?.raw else { return }
        watch = try Reactor.watch(raw, for: .writable) { [weak self] _ in self?.write() }
    }

    /// The command is gone: whatever it has not read, nobody will.
    func finish() {
        watch?.cancel()
        watch = nil
        pipe = nil
        bytes = []
    }

    private func write() {
        while let raw = pipe?.raw, done < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                Glibc.write(raw, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            }
            if count < 0, errno == EAGAIN { return }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }  // EPIPE: nobody reads
            done += count
        }
        finish()
    }
}
