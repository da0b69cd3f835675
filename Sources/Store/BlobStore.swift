public import Digests
internal import Glibc
internal import Locks
internal import Runs

/// Keeps blobs: files that are named by the SHA-256 of what is in them.
///
/// May be used from any thread. What takes the disk is done on others.
public final class BlobStore: Sendable {
    /// A blob that is there.
    public struct Found: Sendable, Hashable {
        /// Where it can be opened; whoever has opened it has it, whatever becomes of the name.
        public let path: String
        /// How many bytes it has.
        public let bytes: Int
    }

    struct State {
        var entries: [SHA256Digest: BlobEntry]
        /// What each run holds.
        var holdings: [RunID: [SHA256Digest]] = [:]
        /// What blobs take, and what is set aside for those that are coming.
        var room: Int
        var uploads = 0
        /// The name of the next file in `incoming`.
        var next = 0
        /// Nothing that nobody holds is older than to be kept until then, in milliseconds since 1970.
        var nextCollection: Int64 = 0

        /// A blob that is there has come once more: for whoever sent it, or for the run whose file it was.
        mutating func take(_ file: IncomingBlob, _ digest: SHA256Digest) {
            guard let run = file.holder else {
                entries[digest]?.owners.insert(file.owner)
                uploads -= 1
                return
            }
            if entries[digest]?.holders.updateValue(file.owner, forKey: run) == nil {
                holdings[run, default: []].append(digest)
            }
        }
    }

    /// A use is written down when the last one that was is so much older: who reads all the time does not write all the time.
    private static let useGrain: Int64 = 60_000

    /// The most bytes that one may have: more than there is room for never fits.
    public var maximumBytes: Int { limits.bytes }

    let limits: BlobLimits
    let threads = BlobThreads()
    let folder: BlobFolder
    let isDurable: Bool
    let thread: StoreThread
    private let metrics: StoreMetrics
    let state: Lock<State>

    /// A store of the blobs that are remembered.
    init(
        _ folder: BlobFolder,
        _ entries: [SHA256Digest: BlobEntry],
        _ limits: BlobLimits,
        _ durability: Durability,
        _ thread: StoreThread,
        _ metrics: StoreMetrics
    ) {
        (self.folder, self.limits, self.thread, self.metrics) = (folder, limits, thread, metrics)
        isDurable = durability == .full
        state = Lock(State(entries: entries, room: entries.values.reduce(0) { $0 + $1.room }))
        state.withLock { state in
            for (digest, entry) in entries {
                for run in entry.holders.keys { state.holdings[run, default: []].append(digest) }
            }
        }
    }

    /// Begins to work, with the privileges that the caller has now: the folder may have been in the hands of a service that had no
    /// more, and is not walked with any other.
    ///
    /// What is in the folder without being remembered is removed, and what is remembered without being there is forgotten.
    func start() {
        folder.clearIncoming()
        state.withLock { state in
            let missing = folder.compare(with: state.entries)
            for digest in missing {
                guard let entry = state.entries.removeValue(forKey: digest) else { continue }
                state.room -= entry.room
            }
            if !missing.isEmpty { thread.perform { try? $0.blobs.remove(missing) } }
            metrics.publish(state)
        }
        threads.start()
    }

    // MARK: Uploads

    /// Has something done on a thread on which blobs are written, after all that was wished for before has begun.
    public func perform(_ job: @escaping @Sendable () -> Void) { threads.perform(job) }

    /// Begins to take a blob in.
    ///
    /// - Parameters:
    ///   - digest: what its digest is said to be.
    ///   - bytes: how many bytes it is said to have; `nil` if that is not said.
    ///   - principal: whose it is going to be.
    ///   - whenRoom: called on another thread when there is room again after ``BlobUpload/Progress/full``.
    /// - Returns: where its bytes go.
    /// - Throws: why it is not taken.
    public func upload(
        _ digest: SHA256Digest,
        bytes: Int?,
        of principal: String,
        whenRoom: @escaping @Sendable () -> Void
    ) throws(BlobError) -> BlobUpload {
        let room = BlobEntry.room(bytes ?? 0)
        let number: Int? = state.withLock { state in
            guard state.uploads < limits.uploads else { return nil }
            state.uploads += 1
            state.next += 1
            return state.next
        }
        guard let number else { throw .tooManyUploads(limits.uploads) }
        guard reserve(room) else {
            state.withLock { $0.uploads -= 1 }
            throw .overQuota(limits.bytes)
        }
        do throws(StoreError) {
            let file = try IncomingBlob(folder, number: number, owner: principal)
            return BlobUpload(digest, self, file, reserved: room, whenRoom: whenRoom)
        } catch {
            state.withLock {
                $0.uploads -= 1
                $0.room -= room
            }
            throw .notStored(error)
        }
    }

    /// Sets room aside; what is old and of no use makes room if need be.
    func reserve(_ bytes: Int) -> Bool {
        func take() -> Bool {
            state.withLock { state in
                guard bytes <= limits.bytes - state.room else { return false }
                state.room += bytes
                metrics.publish(state)
                return true
            }
        }
        if take() { return true }
        collect()
        return take()
    }

    /// A blob will not be whole: an upload has failed, say, or its client has gone.
    func giveUp(_ file: IncomingBlob, _ reserved: Int) {
        file.closeFile()
        folder.removeIncoming(file.number)
        state.withLock { state in
            state.room -= reserved
            if file.holder == nil { state.uploads -= 1 }
            metrics.publish(state)
        }
    }

    /// All of a blob has been written.
    func complete(
        _ file: IncomingBlob,
        _ digest: SHA256Digest,
        bytes: Int,
        _ reserved: Int,
        _ completion: @escaping BlobUpload.Completion
    ) {
        let found = file.finish()
        guard found == digest else {
            giveUp(file, reserved)
            return completion(.failure(.wrongDigest(found)))
        }
        do throws(StoreError) {
            if isDurable { try file.synchronize() }
            file.closeFile()
            let arrival = try arrive(file, digest, bytes, reserved)
            if isDurable { try folder.synchronize(digest) }
            let now = Timestamp.now.millisecondsSince1970
            thread.performAfterwards { [self] database in
                do throws(StoreError) {
                    try database.blobs.insert(digest, bytes: bytes, used: now, owner: file.owner)
                    completion(.success(arrival))
                } catch {
                    if arrival == .created { forget(digest, ownedBy: file.owner) }
                    completion(.failure(.notStored(error)))
                }
            }
        } catch {
            giveUp(file, reserved)
            completion(.failure(.notStored(error)))
        }
    }

    /// Puts the file in its place, or away if it is there already.
    func arrive(
        _ file: IncomingBlob,
        _ digest: SHA256Digest,
        _ bytes: Int,
        _ reserved: Int
    ) throws(StoreError) -> BlobArrival {
        let now = Timestamp.now.millisecondsSince1970
        let result: Result<BlobArrival, StoreError> = state.withLock { state in
            if let entry = state.entries[digest] {
                let isKnown = entry.owners.contains(file.owner)
                state.take(file, digest)
                state.entries[digest]?.used = now
                state.entries[digest]?.savedUse = now
                state.room -= reserved
                return .success(isKnown ? .known : .created)
            }
            // Under the lock: the name is there if and only if the entry is.
            do throws(StoreError) { try folder.place(file.number, as: digest) } catch { return .failure(error) }
            let entry = BlobEntry(bytes: bytes, used: now, savedUse: now, owners: [])
            state.entries[digest] = entry
            state.take(file, digest)
            state.room += entry.room - reserved
            metrics.publish(state)
            return .success(.created)
        }
        // If it was there already; else it is not here any more.
        if case .success = result { folder.removeIncoming(file.number) }
        return try result.get()
    }

    /// It could not be remembered.
    private func forget(_ digest: SHA256Digest, ownedBy owner: String) {
        let number: Int? = state.withLock { state in
            guard let entry = state.entries[digest] else { return nil }
            state.entries[digest]?.owners.remove(owner)
            guard entry.owners == [owner], entry.holders.isEmpty else { return nil }
            return takeOut(digest, &state)
        }
        if let number { folder.removeIncoming(number) }
    }

    // MARK: Reading

    /// Looks a blob up, which counts as its use.
    ///
    /// - Parameters:
    ///   - digest: its name.
    ///   - principal: who asks; `nil`: somebody who may know of all of them. Others know of those that they have uploaded and
    ///     those that their own runs hold.
    /// - Returns: where it is. It is there for a while, as if it had been uploaded now.
    public func find(_ digest: SHA256Digest, for principal: String?) -> Found? {
        let now = Timestamp.now.millisecondsSince1970
        let (found, isUseNew): (Found?, Bool) = state.withLock { state in
            guard let entry = state.entries[digest], entry.isVisible(to: principal) else { return (nil, false) }
            state.entries[digest]?.used = max(now, entry.used)
            let isUseNew = now - entry.savedUse >= Self.useGrain
            if isUseNew { state.entries[digest]?.savedUse = now }
            return (Found(path: folder.path(of: digest), bytes: entry.bytes), isUseNew)
        }
        if isUseNew { thread.perform { try? $0.blobs.use(digest, at: now) } }
        return found
    }

    // MARK: Collection

    /// Removes what nobody holds and nobody has used for long.
    func collect() {
        let now = Timestamp.now.millisecondsSince1970
        let kept = Int64(limits.keptSeconds) * 1000
        let collected: [(digest: SHA256Digest, number: Int)] = state.withLock { state in
            guard now >= state.nextCollection else { return [] }
            var collected: [(SHA256Digest, Int)] = []
            var next = now + kept
            for (digest, entry) in state.entries where entry.holders.isEmpty {
                if entry.used + kept <= now {
                    collected.append((digest, takeOut(digest, &state)))
                } else {
                    next = min(next, entry.used + kept)
                }
            }
            state.nextCollection = next
            // In the order of what happens to the entries.
            let digests = collected.map(\.0)
            if !digests.isEmpty { thread.performAfterwards { try? $0.blobs.remove(digests) } }
            return collected
        }
        guard !collected.isEmpty else { return }
        threads.perform { [folder] in for (_, number) in collected { folder.removeIncoming(number) } }
    }

    /// Lets go of a blob, under the lock, which is quick; its file has to be unlinked, which may not be.
    private func takeOut(_ digest: SHA256Digest, _ state: inout State) -> Int {
        state.next += 1
        folder.takeOut(digest, to: state.next)
        if let entry = state.entries.removeValue(forKey: digest) { state.room -= entry.room }
        metrics.publish(state)
        return state.next
    }
}
