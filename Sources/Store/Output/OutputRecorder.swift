internal import CLinux
internal import Glibc
package import RunModel
internal import System

/// The recorder of one output stream of a run: in memory up to 8 KiB, and entirely in a file beyond that.
///
/// Each byte is in the file at its offset in the stream. Where the end of a stream is kept, holes replace the bytes that
/// are no longer kept (fallocate(2)), so that the file takes little more than the limit.
package final class OutputRecorder {
    /// The maximum number of bytes in memory: the output of most runs fits, and memory holds thousands of such outputs.
    private static let memoryLimit = 8 << 10
    /// The smallest number of bytes that becomes a hole at a time.
    private static let smallestHole = 256 << 10
    /// The number of bytes that are not kept, but that subscribers can still read for a while.
    private static let excessLimit = 256 << 10

    private let path: String
    private let keepOutput: KeepOutput
    private let limit: Int
    /// The offsets of the hole in the file.
    private var hole = 0..<0
    /// The last bytes beyond the limit, for subscribers, and the offset of the first of them.
    private var excess: (start: Int, bytes: [UInt8]) = (0, [])
    private var bytes: [UInt8] = []
    private var file: Int32 = -1
    private var written = 0

    /// The error of the first failed write to the file; earlier output is kept.
    package private(set) var failure: StoreError?

    init(path: String, keeping keepOutput: KeepOutput = .head, limit: Int = .max) {
        (self.path, self.keepOutput, self.limit) = (path, keepOutput, limit)
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
            try makeHole()
        } catch {
            failure = error
        }
        freeMemory()
    }

    /// Keeps bytes beyond the limit for a while, so that subscribers can read them.
    ///
    /// - Parameters:
    ///   - part: the bytes.
    ///   - offset: the offset of the first byte in the stream.
    package func appendExcess(_ part: UnsafeRawBufferPointer, at offset: Int) {
        if offset != excess.start + excess.bytes.count { excess = (offset, []) }
        excess.bytes.append(contentsOf: part.suffix(Self.excessLimit))
        if excess.bytes.count > 2 * Self.excessLimit { excess.bytes.removeFirst(excess.bytes.count - Self.excessLimit) }
        excess.start = offset + part.count - excess.bytes.count
    }

    /// True if some of the output exists only in the memory of this process.
    package var isInMemory: Bool { !bytes.isEmpty && failure == nil }

    /// Moves output from memory to the file; later output goes directly to the file.
    package func flush() {
        guard isInMemory, file < 0 else { return }
        do { try moveToFile() } catch { failure = error }
        freeMemory()
    }

    /// The number of recorded bytes, including those that are no longer kept.
    package var count: Int { file < 0 ? bytes.count : written }

    /// The offset after the last byte that can be read.
    package var endOffset: Int { excess.bytes.isEmpty ? count : excess.start + excess.bytes.count }

    /// Returns the offsets of the first bytes from an offset on that can be read and follow each other without a gap.
    ///
    /// - Parameter offset: an offset in the stream.
    /// - Returns: the offsets, an empty range if there are none.
    package func readable(from offset: Int) -> Range<Int> {
        if !hole.isEmpty, offset < hole.upperBound {
            return offset < hole.lowerBound ? offset..<hole.lowerBound : hole.upperBound..<count
        }
        let isGap = excess.start > count
        if offset < count { return offset..<(isGap ? count : endOffset) }
        return offset < endOffset ? max(offset, excess.start)..<endOffset : offset..<offset
    }

    /// Reads recorded output.
    ///
    /// - Parameters:
    ///   - offset: the offset in the stream, in bytes, from ``readable(from:)``.
    ///   - buffer: the destination.
    /// - Returns: the number of bytes read, 0 at the end, or `nil` after an error.
    package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let readable = readable(from: offset)
        guard readable.lowerBound == offset else { return 0 }
        let isExcess = offset >= count
        let wanted = min((isExcess ? readable.upperBound : min(readable.upperBound, count)) - offset, buffer.count)
        guard wanted > 0 else { return 0 }
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        if isExcess {
            part.copyBytes(from: excess.bytes[(offset - excess.start)...].prefix(wanted))
            return wanted
        }
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
        if file < 0 { return CapturedOutput(bytes: bytes, totalBytes: totalBytes, keeping: keepOutput, limit: limit) }
        return CapturedOutput(
            file: path,
            recordedBytes: written,
            totalBytes: totalBytes,
            keeping: keepOutput,
            limit: limit
        )
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

    /// Replaces bytes that are no longer kept by a hole, many at a time.
    private func makeHole() throws(StoreError) {
        guard keepOutput != .head else { return }
        // The hole begins and ends at pages, because only whole pages are freed.
        let head = keepOutput.headBytes(of: limit)
        let start = hole.isEmpty ? (head + 4095) & ~4095 : hole.upperBound
        let end = (written - (limit - head) - Self.excessLimit) & ~4095
        guard end - start >= Self.smallestHole else { return }
        guard sandglass_punch_hole(file, off_t(start), off_t(end - start)) == 0 else {
            throw StoreError.system("fallocate", path)
        }
        hole = (hole.isEmpty ? start : hole.lowerBound)..<end
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

/// The output files without a run: the run was deleted, or a crash prevented its insertion.
struct OrphanedOutput: Sendable {
    /// The number of files to check before other jobs of the thread run.
    private static let batch = 128

    private let directory: String
    private let newest: RunID?

    /// Creates a job that removes the files, which ``remove(on:)`` queues.
    ///
    /// - Parameters:
    ///   - directory: the directory of output files.
    ///   - newest: the newest run of earlier processes; files of newer runs belong to this process.
    init(in directory: String, upTo newest: RunID?) {
        self.directory = directory
        self.newest = newest
    }

    /// Removes the files in many small jobs.
    func remove(on writer: DatabaseWriter) {
        writer.perform { [self] database in
            let names = DirectoryEntry.names(at: directory)[...]
            remove(names, database, writer)
        }
    }

    private func remove(_ names: ArraySlice<String>, _ database: RunDatabase, _ writer: DatabaseWriter) {
        for name in names.prefix(Self.batch) where isOrphan(name, database) { unlink(directory + "/" + name) }
        let rest = names.dropFirst(Self.batch)
        if !rest.isEmpty { writer.perform { [self] database in remove(rest, database, writer) } }
    }

    private func isOrphan(_ name: String, _ database: RunDatabase) -> Bool {
        guard let id = RunID(String(name.prefix { $0 != "." })) else { return true }
        guard let newest, id <= newest else { return false }
        // An unreadable record is not a missing one: its files stay.
        do throws(StoreError) { return try database.run(id) == nil } catch { return false }
    }
}
