internal import Glibc
public import Runs

/// Takes what a run writes to one stream: the first few KiB in memory, and all of it in a file once it is more.
public final class OutputRecorder {
    /// What most runs write fits, and thousands of them fit in memory.
    private static let inMemory = 8 << 10

    private let path: String
    private var bytes: [UInt8] = []
    private var file: Int32 = -1
    private var written = 0

    /// What went wrong when the file could not take more.
    ///
    /// What came before is kept.
    public private(set) var failure: StoreError?

    init(path: String) {
        self.path = path
    }

    deinit {
        if file >= 0 { close(file) }
    }

    /// Keeps a part, unless an earlier one could not be kept.
    public func append(_ part: UnsafeRawBufferPointer) {
        guard failure == nil else { return }
        if file < 0, bytes.count + part.count <= Self.inMemory {
            bytes.append(contentsOf: part)
            return
        }
        do {
            if file < 0 { try moveToFile() }
            try write(part)
        } catch {
            failure = error
        }
        // What the file could not take is still in memory.
        if written < bytes.count { abandonFile() } else { bytes = [] }
    }

    /// Whether some of it would be gone with this process.
    public var isInMemory: Bool { !bytes.isEmpty && failure == nil }

    /// Moves what is in memory to the file, and what comes later goes there at once.
    public func flush() {
        guard isInMemory, file < 0 else { return }
        do { try moveToFile() } catch { failure = error }
        if written < bytes.count { abandonFile() } else { bytes = [] }
    }

    /// How many bytes have been kept so far.
    public var count: Int { file < 0 ? bytes.count : written }

    /// Reads what has been kept, from an offset on.
    ///
    /// - Parameters:
    ///   - offset: where it begins.
    ///   - buffer: where it goes.
    /// - Returns: how many bytes there were, 0 at the end; `nil` if they cannot be read.
    public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let wanted = min(count - offset, buffer.count)
        guard wanted > 0 else { return 0 }
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        guard file >= 0 else {
            part.copyBytes(from: bytes[offset..<offset + wanted])
            return wanted
        }
        let count = OutputFile.read(file, at: offset, into: part)
        return count > 0 ? count : nil
    }

    /// What has been kept so far.
    ///
    /// - Parameter totalBytes: how many bytes the run has written.
    /// - Returns: what was kept, in memory or as a file, and that total.
    public func captured(totalBytes: Int) -> CapturedOutput {
        let content: CapturedOutput.Content = file < 0 ? .bytes(bytes) : .file(path: path, count: written)
        return CapturedOutput(content: content, totalBytes: totalBytes)
    }

    private func moveToFile() throws(StoreError) {
        // Who follows the run reads from it.
        file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw DataDirectory.error("open", path) }
        // Typed throws do not pass through withUnsafeBytes.
        let error = bytes.withUnsafeBytes { bytes -> StoreError? in
            do throws(StoreError) { try write(bytes) } catch { return error }
            return nil
        }
        if let error { throw error }
    }

    private func abandonFile() {
        guard file >= 0 else { return }
        close(file)
        unlink(path)
        file = -1
    }

    private func write(_ part: UnsafeRawBufferPointer) throws(StoreError) {
        var rest = part
        while !rest.isEmpty {
            let count = Glibc.write(file, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw DataDirectory.error("write", path) }
            written += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
