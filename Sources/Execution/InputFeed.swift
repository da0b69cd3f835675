internal import Glibc
internal import Reactor

/// What a command reads from descriptor 0: written as it is read, and ended.
///
/// A command that never reads, or closes its input early, is free to.
@Reactor
final class InputFeed {
    /// What a pipe holds.
    private static let part = 256 << 10

    private var pipe: Descriptor?
    private var watch: Watch?
    private var bytes: [UInt8]
    private var done = 0
    /// What comes behind the bytes, if it is more than is kept in memory.
    private var file: Descriptor?
    /// Where in the file to go on: its offset is shared with others who read it.
    private var offset = 0

    /// - Parameters:
    ///   - pipe: where it is written.
    ///   - bytes: what is written.
    ///   - file: a descriptor that becomes this feed's own, all of which comes behind the bytes.
    /// - Throws: the pipe cannot be watched.
    init(pipe: consuming Descriptor, bytes: [UInt8], file: Int32? = nil) throws(SystemError) {
        self.pipe = .some(pipe)
        self.bytes = bytes
        if let file { self.file = Descriptor(owning: file) }
        write()
        guard let raw = self.pipe?.raw else { return }
        watch = try Reactor.watch(raw, for: .writable) { [weak self] _ in self?.write() }
    }

    /// The command is gone: whatever it has not read, nobody will.
    func finish() {
        watch?.cancel()
        watch = nil
        pipe = nil
        file = nil
        bytes = []
    }

    private func write() {
        while let raw = pipe?.raw {
            if done == bytes.count, !readMore() { break }
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

    /// Reads the next part of the file; false at its end, and if there is none.
    private func readMore() -> Bool {
        guard let raw = file?.raw else { return false }
        bytes = [UInt8](unsafeUninitializedCapacity: Self.part) { buffer, count in
            count = max(pread(raw, buffer.baseAddress, buffer.count, offset), 0)
        }
        done = 0
        offset += bytes.count
        return !bytes.isEmpty
    }
}
