internal import Glibc
internal import RunModel
package import System

/// The limits of the blob store.
package struct BlobLimits: Sendable, Hashable {
    /// The quota: the maximum number of bytes of all blobs together, each counted as at least one block of 4096 bytes.
    package var bytes: Int
    /// The time in seconds from the last use of a blob that no run holds to its removal.
    package var retentionSeconds: Int
    /// The maximum number of concurrent uploads; each takes about 300 KiB of memory.
    package var uploads: Int

    /// Creates limits; the defaults are 8 GiB, one hour and 64 uploads.
    package init(bytes: Int = 8 << 30, retentionSeconds: Int = 3600, uploads: Int = 64) {
        self.bytes = bytes
        self.retentionSeconds = retentionSeconds
        self.uploads = uploads
    }
}

/// A blob in the store.
package struct StoredBlob: Sendable, Hashable {
    /// The path of the blob's file; an opened file stays readable even if the blob is removed.
    package let path: String
    /// The size of the blob.
    package let bytes: Int
}

/// The store of blobs: files whose names are the SHA-256 of their contents.
///
/// Any thread may call it. Disk access happens on the threads of a ``BlobIOPool``.
package final class BlobStore: Sendable {
    /// The minimum time in milliseconds from one saved time of use to the next, so that frequent reads cause few
    /// writes.
    private static let useResolution: Int64 = 60_000

    /// The maximum size of one blob, which is the whole quota.
    package var maximumBytes: Int { limits.bytes }

    let limits: BlobLimits
    let pool = BlobIOPool()
    let directory: BlobDirectory
    let isDurable: Bool
    let writer: DatabaseWriter
    private let metrics: StoreMetrics
    let index: Lock<BlobIndex>

    /// Creates a store of the blobs that the database contains.
    init(
        _ directory: BlobDirectory,
        _ entries: [SHA256Digest: BlobEntry],
        _ limits: BlobLimits,
        _ durability: Durability,
        _ writer: DatabaseWriter,
        _ metrics: StoreMetrics
    ) {
        (self.directory, self.limits, self.writer, self.metrics) = (directory, limits, writer, metrics)
        isDurable = durability == .full
        index = Lock(BlobIndex(entries))
    }

    /// Starts the threads with the privileges that the calling thread has now.
    ///
    /// An unprivileged process may have written to the directory before, so no thread may walk it with more privileges.
    /// The store then compares files and database in the background, because there may be many blobs.
    func start() {
        directory.clearIncoming()
        index.withLock { metrics.publish($0) }
        pool.start()
        pool.perform { [self] in reconcile() }
    }

    /// Removes files that the database does not contain, and entries whose files are missing or have another size.
    private func reconcile() {
        let found = directory.scan()
        index.withLock { index in
            // Checks each difference again under the lock, because an upload may have finished since the scan.
            for (digest, size) in found where index.entries[digest]?.bytes != size {
                if let entry = index.entries[digest], entry.bytes == directory.size(of: digest) { continue }
                directory.remove(digest)
            }
            let missing = index.entries.filter { digest, entry in
                found[digest] != .some(entry.bytes) && directory.size(of: digest) != entry.bytes
            }
            let digests = Array(missing.keys)
            for digest in digests { index.remove(digest) }
            if !digests.isEmpty { writer.perform { try? $0.blobs.delete(digests) } }
            metrics.publish(index)
        }
    }

    // MARK: Uploads

    /// Runs a job on one of the blob threads; jobs start in the order of these calls.
    package func perform(_ job: @escaping @Sendable () -> Void) { pool.perform(job) }

    /// Begins an upload.
    ///
    /// - Parameters:
    ///   - digest: the announced digest.
    ///   - bytes: the announced size, or `nil` if it is unknown.
    ///   - principal: the owner of the blob.
    ///   - whenWritable: called on another thread when ``BlobUpload/Progress/full`` no longer applies.
    /// - Returns: the upload, which takes the bytes.
    /// - Throws: a ``BlobError`` if the upload cannot begin.
    package func upload(
        _ digest: SHA256Digest,
        bytes: Int?,
        of principal: String,
        whenWritable: @escaping @Sendable () -> Void
    ) throws(BlobError) -> BlobUpload {
        let reserved = BlobEntry.quotaBytes(bytes ?? 0)
        // On a server with several principals, each may use half of the uploads and leaves the rest to the others.
        let ownLimit = principal.isEmpty ? limits.uploads : max(limits.uploads / 2, 1)
        let number = index.withLock { $0.beginUpload(of: principal, limit: limits.uploads, ownLimit: ownLimit) }
        guard let number else { throw .tooManyUploads(ownLimit) }
        guard reserve(reserved) else {
            index.withLock { $0.endUpload(of: principal) }
            throw .overQuota(limits.bytes)
        }
        do throws(StoreError) {
            let file = try IncomingBlob(directory, number: number, owner: principal)
            return BlobUpload(digest, self, file, reserved: reserved, whenWritable: whenWritable)
        } catch {
            index.withLock {
                $0.endUpload(of: principal)
                $0.quotaBytes -= reserved
            }
            throw .notStored(error)
        }
    }

    /// Reserves a part of the quota, and removes expired blobs if the free part is too small.
    func reserve(_ bytes: Int) -> Bool {
        func tryToReserve() -> Bool {
            index.withLock { index in
                guard bytes <= limits.bytes - index.quotaBytes else { return false }
                index.quotaBytes += bytes
                metrics.publish(index)
                return true
            }
        }
        if tryToReserve() { return true }
        collectExpired()
        return tryToReserve()
    }

    /// Removes the file of an incomplete blob and returns its reservation to the quota.
    func abort(_ file: IncomingBlob, reserved: Int) {
        file.closeFile()
        directory.removeIncoming(file.number)
        index.withLock { index in
            index.quotaBytes -= reserved
            if file.holder == nil { index.endUpload(of: file.owner) }
            metrics.publish(index)
        }
    }

    /// Verifies the digest of an upload, stores the blob and calls the completion after the database commit.
    func finishUpload(
        _ file: IncomingBlob,
        _ digest: SHA256Digest,
        bytes: Int,
        reserved: Int,
        _ completion: @escaping BlobUpload.Completion
    ) {
        let actual = file.finish()
        guard actual == digest else {
            abort(file, reserved: reserved)
            return completion(.failure(.digestMismatch(actual)))
        }
        do throws(StoreError) {
            if isDurable { try file.synchronize() }
            file.closeFile()
            let result = try install(file, digest, bytes: bytes, reserved: reserved)
            if isDurable { try directory.synchronize(digest) }
            let now = Timestamp.now.millisecondsSince1970
            writer.performAfterCommit { [self] database in
                do throws(StoreError) {
                    try database.blobs.insert(digest, bytes: bytes, used: now, owner: file.owner)
                    completion(.success(result))
                } catch {
                    if result == .created { removeOwner(file.owner, of: digest) }
                    completion(.failure(.notStored(error)))
                }
            }
        } catch {
            abort(file, reserved: reserved)
            completion(.failure(.notStored(error)))
        }
    }

    /// Moves a complete file to the path of its blob, or removes the file if the blob already exists.
    func install(
        _ file: IncomingBlob,
        _ digest: SHA256Digest,
        bytes: Int,
        reserved: Int
    ) throws(StoreError) -> BlobUploadResult {
        let now = Timestamp.now.millisecondsSince1970
        let result: Result<BlobUploadResult, StoreError> = index.withLock { index in
            if let entry = index.entries[digest] {
                let isOwned = entry.owners.contains(file.owner)
                index.addReference(of: file, to: digest)
                index.use(digest, at: now)
                index.saveUse(digest, at: now)
                index.quotaBytes -= reserved
                return .success(isOwned ? .existing : .created)
            }
            // The rename happens under the lock, so that the file exists exactly while the entry does.
            do throws(StoreError) { try directory.install(file.number, as: digest) } catch { return .failure(error) }
            index.insert(digest, BlobEntry(bytes: bytes, lastUse: now, savedUse: now, owners: []))
            index.addReference(of: file, to: digest)
            index.quotaBytes -= reserved
            metrics.publish(index)
            return .success(.created)
        }
        // Removes the duplicate of an existing blob; after a rename, there is no such file.
        if case .success = result { directory.removeIncoming(file.number) }
        return try result.get()
    }

    /// Undoes an upload whose database row could not be written.
    private func removeOwner(_ owner: String, of digest: SHA256Digest) {
        let number: Int? = index.withLock { index in
            guard let entry = index.entries[digest] else { return nil }
            index.removeOwner(owner, of: digest)
            guard entry.owners == [owner], entry.holders.isEmpty else { return nil }
            return remove(digest, from: &index)
        }
        if let number { directory.removeIncoming(number) }
    }

    // MARK: Reading

    /// Returns a blob and updates its last use: the blob stays for a while, as if it had been uploaded now.
    ///
    /// - Parameters:
    ///   - digest: the blob's digest.
    ///   - principal: the reader, who sees its own uploads and the blobs that its runs hold. `nil` stands for a reader
    ///     that sees every blob.
    /// - Returns: the blob, or `nil` if there is no such blob or the reader may not see it.
    package func find(_ digest: SHA256Digest, for principal: String?) -> StoredBlob? {
        let now = Timestamp.now.millisecondsSince1970
        let (found, mustSave): (StoredBlob?, Bool) = index.withLock { index in
            guard let entry = index.entries[digest], entry.isVisible(to: principal) else { return (nil, false) }
            let mustSave = now - entry.savedUse >= Self.useResolution
            index.use(digest, at: max(now, entry.lastUse))
            if mustSave { index.saveUse(digest, at: now) }
            return (StoredBlob(path: directory.path(of: digest), bytes: entry.bytes), mustSave)
        }
        if mustSave { writer.perform { try? $0.blobs.use(digest, at: now) } }
        return found
    }

    // MARK: Expiry

    /// Removes blobs that no run holds and whose last use is longer ago than the retention time.
    func collectExpired() {
        let now = Timestamp.now.millisecondsSince1970
        let retention = Int64(limits.retentionSeconds) * 1000
        let collected: [(digest: SHA256Digest, number: Int)] = index.withLock { index in
            guard now >= index.nextCollection else { return [] }
            var collected: [(SHA256Digest, Int)] = []
            var next = now + retention
            for (digest, entry) in index.entries where entry.holders.isEmpty {
                if entry.lastUse + retention <= now {
                    collected.append((digest, remove(digest, from: &index)))
                } else {
                    next = min(next, entry.lastUse + retention)
                }
            }
            index.nextCollection = next
            // Queued under the lock, so that the database sees changes in the order of the index.
            let digests = collected.map(\.0)
            if !digests.isEmpty { writer.performAfterCommit { try? $0.blobs.delete(digests) } }
            return collected
        }
        guard !collected.isEmpty else { return }
        pool.perform { [directory] in for (_, number) in collected { directory.removeIncoming(number) } }
    }

    /// Removes a blob from the index and moves its file to `incoming`.
    ///
    /// The caller holds the lock. The rename is fast. The caller unlinks the file later without the lock, because that
    /// may be slow.
    ///
    /// - Returns: the number of the file in `incoming`.
    private func remove(_ digest: SHA256Digest, from index: inout BlobIndex) -> Int {
        let number = index.makeFileNumber()
        directory.uninstall(digest, to: number)
        index.remove(digest)
        metrics.publish(index)
        return number
    }
}
