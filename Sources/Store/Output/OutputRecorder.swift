internal import Glibc
package import RunModel
internal import System

/// The recorder of one output stream of a run: in memory up to 8 KiB, and entirely in a file beyond that.
package final class OutputRecorder {
    /// The maximum number of bytes in memory: the output of most runs fits, and memory holds thousands of such outputs.
    private static let memoryLimit = 8 << 10

    private let path: String
    private var bytes: [UInt8] = []
    private var file: Int32 = -1
    private var written = 0

    /// The error of the first failed write to the file; earlier output is kept.
    package private(set) var failure: StoreError?

    init(path: String) {
        self.path = path
    }

    deinit {
        if file >= 0 { close(file) }
    }

    /// Records output, unless recording has failed before.
    package func append(_ part: UnsafeRawBufferPointer) {
        guard failure == nil else { return }
        if file < 0, bytes.count + part.count <= Self.memoryLimit {
            bytes.append(contentsOf: part)
            return
        }
        do {
            if file < 0 { try moveToFile() }
            try write(part)
        } catch {
            failure = error
        }
        freeMemory()
    }

    /// True if some of the output exists only in the memory of this process.
    package var isInMemory: Bool { !bytes.isEmpty && failure == nil }

    /// Moves output from memory to the file; later output goes directly to the file.
    package func flush() {
        guard isInMemory, file < 0 else { return }
        do { try moveToFile() } catch { failure = error }
        freeMemory()
    }

    /// The number of recorded bytes.
    package var count: Int { file < 0 ? bytes.count : written }

    /// Reads recorded output.
    ///
    /// - Parameters:
    ///   - offset: the offset in the stream, in bytes.
    ///   - buffer: the destination.
    /// - Returns: the number of bytes read, 0 at the end, or `nil` after an error.
    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
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

    /// Returns the recorded output for its run.
    ///
    /// - Parameter totalBytes: the number of bytes that the run has written, including those that were not recorded.
    /// - Returns: the recorded output, in memory or as a file.
    package func captured(totalBytes: Int) -> CapturedOutput {
        let content: CapturedOutput.Content = file < 0 ? .bytes(bytes) : .file(path: path, count: written)
        return CapturedOutput(content: content, totalBytes: totalBytes)
    }

    private func moveToFile() throws(StoreError) {
        // The file is open for reading too, because subscribers of the run read from it.
        file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw StoreError.system("open", path) }
        // Typed throws do not pass through withUnsafeBytes.
        let error = bytes.withUnsafeBytes { bytes -> StoreError? in
            do throws(StoreError) { try write(bytes) } catch { return error }
            return nil
        }
        if let error { throw error }
    }

    /// Frees the memory if the file contains its bytes; otherwise removes the file, so that the bytes in memory count.
    private func freeMemory() {
        guard written < bytes.count else {
            bytes = []
            return
        }
        guard file >= 0 else { return }
        close(file)
        unlink(path)
        file = -1
    }

    private func write(_ part: UnsafeRawBufferPointer) throws(StoreError) {
        var rest = part
        while !rest.isEmpty {
            let count = FileIO.retrying { Glibc.write(file, rest.baseAddress, rest.count) }
            guard count > 0 else { throw StoreError.system("write", path) }
            written += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}

/// An output file that is open for reading.
package final class OutputFile {
    private let descriptor: Int32

    /// Opens a file, and fails if it does not exist or is a symbolic link.
    package init?(path: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Reads bytes from an offset (pread(2)).
    ///
    /// - Returns: the number of bytes read, 0 at the end, or a negative number after an error.
    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        Self.read(descriptor, at: offset, into: buffer)
    }

    fileprivate static func read(_ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int
    {
        FileIO.retrying { pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
    }
}
