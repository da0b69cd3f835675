internal import Glibc
internal import Reactor
internal import System

/// The writer of a command's standard input: writes as fast as the command reads, then closes the pipe.
///
/// A command may read nothing or close its input early.
@ReactorActor
final class InputFeed {
    /// The bytes that one read takes from the file.
    private static let partBytes = 256 << 10
    /// The bytes that one event writes before other events get their turn.
    private static let bytesAtOnce = 256 << 10

    private var pipe: Descriptor?
    private var watch: Watch?
    private var bytes: [UInt8]
    private var written = 0
    /// The rest of the input, if it is too large for memory.
    private var file: Descriptor?
    /// The position in the file.
    ///
    /// Other readers share the descriptor's own offset.
    private var offset = 0

    /// Starts to write.
    ///
    /// - Parameters:
    ///   - pipe: the write end of the command's input.
    ///   - bytes: the first bytes to write.
    ///   - file: a file to write after `bytes`, in full. This feed takes ownership of the descriptor.
    /// - Throws: the error of watching the pipe.
    init(pipe: consuming Descriptor, bytes: [UInt8], file: Int32? = nil) throws(SystemError) {
        self.pipe = .some(pipe)
        self.bytes = bytes
        if let file { self.file = Descriptor(owning: file) }
        write()
        guard let raw = self.pipe?.raw else { return }
        watch = try ReactorActor.watch(raw, for: .writable) { [weak self] _ in self?.write() }
    }

    /// Drops the rest of the input, because the command has ended.
    func finish() {
        watch?.cancel()
        watch = nil
        pipe = nil
        file = nil
        bytes = []
    }

    /// Writes until the pipe is full, or until other events get their turn.
    ///
    /// A command that reads as fast as this feed writes would otherwise keep the reactor from all other runs.
    private func write() {
        var budget = Self.bytesAtOnce
        while let raw = pipe?.raw {
            guard budget > 0 else { return }
            if written == bytes.count, !readMore() { break }
            let count = FileIO.retrying {
                bytes.withUnsafeBytes { bytes in
                    Glibc.write(raw, bytes.baseAddress?.advanced(by: written), min(bytes.count - written, budget))
                }
            }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else { break }  // EPIPE: the command has closed its input
            written += count
            budget -= count
        }
        finish()
    }

    /// Reads the next part of the file.
    ///
    /// Returns false at the end of the file and without a file.
    private func readMore() -> Bool {
        guard let raw = file?.raw else { return false }
        bytes = [UInt8](unsafeUninitializedCapacity: Self.partBytes) { buffer, count in
            count = max(pread(raw, buffer.baseAddress, buffer.count, offset), 0)
        }
        written = 0
        offset += bytes.count
        return !bytes.isEmpty
    }
}
