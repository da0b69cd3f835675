public import Digests
internal import Locks
public import Runs

/// What runs are given, and what they have kept.
extension BlobStore {
    /// Has a run hold blobs that it is given: they are kept until it is finished.
    ///
    /// To be called before the run is inserted: what the run needs is remembered no later than the run.
    ///
    /// - Parameters:
    ///   - digests: their names.
    ///   - run: the run.
    ///   - principal: whose run it is, who has to know of each of them; `nil`: somebody who may know of all.
    ///   - owner: by which name the run is remembered.
    /// - Returns: those that are not there, or not for this principal. If there are any, nothing is held.
    public func hold(
        _ digests: [SHA256Digest],
        by run: RunID,
        for principal: String?,
        owner: String
    ) -> [SHA256Digest] {
        let missing = state.withLock { state in
            let missing = digests.filter { !(state.entries[$0]?.isVisible(to: principal) ?? false) }
            guard missing.isEmpty else { return missing }
            for digest in digests { state.entries[digest]?.holders[run] = owner }
            state.holdings[run, default: []] += digests
            return []
        }
        guard missing.isEmpty, !digests.isEmpty else { return missing }
        thread.perform { try? $0.blobs.hold(digests, by: run, of: owner) }
        return []
    }

    /// A run is over: what it was given is not needed any more, and what it has kept is held as long as it is remembered.
    func releaseInputs(of run: RunID, except artifacts: CollectedArtifacts) {
        let now = Timestamp.now.millisecondsSince1970
        let released: [SHA256Digest] = state.withLock { state in
            guard let held = state.holdings[run] else { return [] }
            let kept = Set(artifacts.kept.map(\.sha256))
            let (still, released) = (
                held.filter { kept.contains($0.hexadecimal) }, held.filter { !kept.contains($0.hexadecimal) }
            )
            for digest in released {
                state.entries[digest]?.holders[run] = nil
                state.entries[digest]?.used = now
            }
            state.holdings[run] = still.isEmpty ? nil : still
            return released
        }
        if !released.isEmpty { thread.perform { try? $0.blobs.release(released, of: run) } }
    }

    /// Runs hold nothing any more: they are forgotten.
    func release(_ runs: [RunID]) {
        let now = Timestamp.now.millisecondsSince1970
        state.withLock { state in
            for run in runs {
                for digest in state.holdings.removeValue(forKey: run) ?? [] {
                    state.entries[digest]?.holders[run] = nil
                    state.entries[digest]?.used = now
                }
            }
        }
    }

    // MARK: What is kept of a run

    /// Begins to make a blob of a file that a run has left.
    ///
    /// - Parameters:
    ///   - bytes: how many it has.
    ///   - run: the run, which holds it from its end on.
    ///   - principal: whose run it is.
    /// - Returns: where its bytes go.
    /// - Throws: why it is not taken.
    public func keep(bytes: Int, of run: RunID, owner principal: String) throws(BlobError) -> RunBlob {
        let room = BlobEntry.room(bytes)
        guard reserve(room) else { throw .overQuota(limits.bytes) }
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        do throws(StoreError) {
            let file = try IncomingBlob(folder, number: number, owner: principal, holder: run)
            return RunBlob(self, file, bytes: bytes, reserved: room)
        } catch {
            state.withLock { $0.room -= room }
            throw .notStored(error)
        }
    }

    /// All of a run's file has been written.
    func complete(_ file: IncomingBlob, for run: RunID, bytes: Int, _ reserved: Int) throws(StoreError) -> SHA256Digest
    {
        let digest = file.finish()
        do throws(StoreError) {
            if isDurable { try file.synchronize() }
            file.closeFile()
            _ = try arrive(file, digest, bytes, reserved)
            if isDurable { try folder.synchronize(digest) }
        } catch {
            giveUp(file, reserved)
            throw error
        }
        let now = Timestamp.now.millisecondsSince1970
        // The run's own end comes behind it: should this fail, that is not remembered either.
        thread.perform { try? $0.blobs.keep(digest, bytes: bytes, used: now, by: run, of: file.owner) }
        return digest
    }
}
