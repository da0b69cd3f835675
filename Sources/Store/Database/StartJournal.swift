internal import Glibc
internal import RunModel
internal import System

/// The ids of runs whose commands have started, in a memory-mapped file.
///
/// Recording an id stores 16 bytes in memory, without a system call and without waiting. The file contains the id even
/// if the process is killed a moment later. A run that has started therefore never starts again after a restart,
/// however far the database lags behind. If the host itself fails, the ids of the last seconds may be missing.
final class StartJournal: Sendable {
    private static let entries = 16384
    private static let entryBytes = 16
    private static let length = entries * entryBytes

    /// The ids that the file contained when it was opened.
    let previous: Set<RunID>

    private struct Entries {
        // SAFETY: accessed only under the lock, and mapped for as long as the journal exists.
        nonisolated(unsafe) let memory: UnsafeMutableRawPointer
        var free: [Int]
        var indices: [RunID: Int] = [:]
    }

    private let lock: Lock<Entries>

    init(path: String) throws(StoreError) {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw StoreError.system("open", path) }
        defer { Glibc.close(file) }
        // Allocates the blocks now: a store to a hole in the file kills the process if the disk is full (SIGBUS).
        let error = posix_fallocate(file, 0, off_t(Self.length))
        guard error == 0 else {
            errno = error
            throw StoreError.system("write", path)
        }
        let mapping = mmap(nil, Self.length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        guard let mapping, mapping != MAP_FAILED else { throw StoreError.system("map", path) }
        previous = Set(
            (0..<Self.entries).compactMap { entry in
                let bytes = [UInt8](
                    UnsafeRawBufferPointer(start: mapping + entry * Self.entryBytes, count: Self.entryBytes)
                )
                return bytes.allSatisfy { $0 == 0 } ? nil : RunID(bytes: bytes)
            }
        )
        lock = Lock(Entries(memory: mapping, free: (0..<Self.entries).reversed()))
    }

    deinit { _ = lock.withLock { munmap($0.memory, Self.length) } }

    /// Erases all ids, once the database contains the outcome of every run in ``previous``.
    func clear() { lock.withLock { _ = memset($0.memory, 0, Self.length) } }

    /// Records that the command of a run starts.
    func insert(_ id: RunID) {
        lock.withLock { entries in
            guard let entry = entries.free.popLast() else { return }
            entries.indices[id] = entry
            entries.memory.advanced(by: entry * Self.entryBytes).copyMemory(from: id.bytes, byteCount: Self.entryBytes)
        }
    }

    /// Erases the id of a run that the database records as started.
    func remove(_ id: RunID) {
        lock.withLock { entries in
            guard let entry = entries.indices.removeValue(forKey: id) else { return }
            memset(entries.memory + entry * Self.entryBytes, 0, Self.entryBytes)
            entries.free.append(entry)
        }
    }
}
