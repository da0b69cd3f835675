package import RunModel
package import System

/// The input blobs and artifacts of runs.
extension BlobStore {
    // MARK: Input

    /// Makes a run a holder of its input blobs, which therefore stay until the run is finished.
    ///
    /// The caller calls this before it inserts the run, so that the holds are written no later than the run.
    ///
    /// - Parameters:
    ///   - digests: the input blobs.
    ///   - run: the run.
    ///   - principal: the submitting principal, who must be able to see each blob. `nil` stands for a principal that
    ///     may see every blob.
    ///   - owner: the name of the run's owner in the store.
    /// - Returns: the blobs that are missing or that the principal may not see. If there are any, the run holds none.
    package func hold(
        _ digests: [SHA256Digest],
        by run: RunID,
        for principal: String?,
        owner: String
    ) -> [SHA256Digest] {
        let missing = index.withLock { index in
            let missing = digests.filter { !(index.entries[$0]?.isVisible(to: principal) ?? false) }
            if missing.isEmpty { index.hold(digests, by: run, owner: owner) }
            return missing
        }
        guard missing.isEmpty, !digests.isEmpty else { return missing }
        writer.perform { try? $0.blobs.hold(digests, by: run, of: owner) }
        return []
    }

    /// Releases the input blobs of a finished run, except those that are also its artifacts: the run holds its
    /// artifacts until it is deleted.
    func releaseInputs(of run: RunID, except artifacts: CollectedArtifacts) {
        let now = Timestamp.now.millisecondsSince1970
        let kept = Set(artifacts.kept.compactMap(\.sha256))
        let released = index.withLock { $0.release(run, except: kept, at: now) }
        if !released.isEmpty { writer.perform { try? $0.blobs.release(released, of: run) } }
    }

    /// Releases the blobs of runs that the database no longer contains.
    func release(_ runs: [RunID]) {
        let now = Timestamp.now.millisecondsSince1970
        index.withLock { index in for run in runs { _ = index.release(run, at: now) } }
    }

    // MARK: Artifacts

    /// Begins to store an artifact.
    ///
    /// - Parameters:
    ///   - bytes: the size of the artifact.
    ///   - run: the run, which holds the blob until the run is deleted.
    ///   - principal: the owner of the run.
    /// - Returns: the writer of the artifact's bytes.
    /// - Throws: a ``BlobError`` if the quota is exhausted or the file cannot be created.
    package func createArtifact(
        bytes: Int,
        of run: RunID,
        owner principal: String
    ) throws(BlobError) -> ArtifactWriter {
        let reserved = BlobEntry.quotaBytes(bytes)
        guard reserve(reserved) else { throw .overQuota(limits.bytes) }
        let number = index.withLock { $0.makeFileNumber() }
        do throws(StoreError) {
            let file = try IncomingBlob(directory, number: number, owner: principal, holder: run)
            return ArtifactWriter(self, file, bytes: bytes, reserved: reserved)
        } catch {
            index.withLock { $0.quotaBytes -= reserved }
            throw .notStored(error)
        }
    }

    /// Stores a complete artifact and returns its digest.
    fileprivate func finishArtifact(
        _ file: IncomingBlob,
        for run: RunID,
        bytes: Int,
        reserved: Int
    ) throws(StoreError) -> SHA256Digest {
        let digest = file.finish()
        do throws(StoreError) {
            if isDurable { try file.synchronize() }
            file.closeFile()
            _ = try install(file, digest, bytes: bytes, reserved: reserved)
            if isDurable { try directory.synchronize(digest) }
        } catch {
            abort(file, reserved: reserved)
            throw error
        }
        let now = Timestamp.now.millisecondsSince1970
        // The end of the run is queued after this job. If the job fails, that commit fails too.
        writer.perform { try? $0.blobs.insert(digest, bytes: bytes, used: now, heldBy: run, of: file.owner) }
        return digest
    }
}

/// The writer of one artifact, which becomes a blob that its run holds.
///
/// One thread at a time uses it. A writer that is released before ``finish()`` leaves nothing behind.
package final class ArtifactWriter {
    private let store: BlobStore
    private let file: IncomingBlob
    private let run: RunID
    /// The announced size.
    private let capacity: Int
    private let reserved: Int
    /// The number of bytes that were appended.
    package private(set) var bytes = 0
    private var isFinished = false

    fileprivate init(_ store: BlobStore, _ file: IncomingBlob, bytes: Int, reserved: Int) {
        guard let run = file.holder else { preconditionFailure("the file of an artifact needs a run") }
        (self.store, self.file, self.run, self.capacity, self.reserved) = (store, file, run, bytes, reserved)
    }

    deinit { if !isFinished { store.abort(file, reserved: reserved) } }

    /// Appends bytes, up to the announced size.
    package func append(_ piece: UnsafeRawBufferPointer) throws(BlobError) {
        // The file has grown since the announcement, although no process of the run is left that could write to it.
        guard piece.count <= capacity - bytes else { throw .incomplete }
        do throws(StoreError) { try file.append(piece) } catch { throw .notStored(error) }
        bytes += piece.count
    }

    /// Stores the artifact and returns the digest of its blob.
    package func finish() throws(BlobError) -> SHA256Digest {
        isFinished = true
        do throws(StoreError) {
            return try store.finishArtifact(file, for: run, bytes: bytes, reserved: reserved)
        } catch { throw .notStored(error) }
    }
}
