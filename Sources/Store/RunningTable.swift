internal import Glibc
internal import Locks
internal import Runs

/// The names of the runs whose commands have been started, in memory that is a file.
///
/// Storing a name is storing 16 bytes: no call, no wait, and the file has it although the process is killed a moment later. So a
/// run that has begun never begins again after a restart, however far behind the database was. When the host itself ends, the
/// last seconds may be missing.
final class RunningTable: Sendable {
    private static let entries = 16384
    private static let entryBytes = 16
    private static let length = entries * entryBytes

    /// Those that stood there when it was opened.
    let earlier: Set<RunID>

    private struct Entries {
        // SAFETY: reached under the lock alone, and mapped as long as the table lives.
        nonisolated(unsafe) let memory: UnsafeMutableRawPointer
        var free: [Int]
        var places: [RunID: Int] = [:]
    }

    private let lock: Lock<Entries>

    init(path: String) throws(StoreError) {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw DataDirectory.error("open", path) }
        defer { Glibc.close(file) }
        // With its blocks: a store into a hole of a full disk ends the process.
        let error = posix_fallocate(file, 0, off_t(Self.length))
        guard error == 0 else {
            errno = error
            throw DataDirectory.error("write", path)
        }
        let mapping = mmap(nil, Self.length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        guard let mapping, mapping != MAP_FAILED else { throw DataDirectory.error("map", path) }
        earlier = Set(
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

    /// What stood there has been dealt with.
    func clear() { lock.withLock { _ = memset($0.memory, 0, Self.length) } }

    /// It begins.
    func insert(_ id: RunID) {
        lock.withLock { entries in
            guard let entry = entries.free.popLast() else { return }
            entries.places[id] = entry
            entries.memory.advanced(by: entry * Self.entryBytes).copyMemory(from: id.bytes, byteCount: Self.entryBytes)
        }
    }

    /// The database knows that it has begun.
    func remove(_ id: RunID) {
        lock.withLock { entries in
            guard let entry = entries.places.removeValue(forKey: id) else { return }
            memset(entries.memory + entry * Self.entryBytes, 0, Self.entryBytes)
            entries.free.append(entry)
        }
    }
}
