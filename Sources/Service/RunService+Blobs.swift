public import Digests
public import Identity
internal import Reactor
public import Store

/// Blobs, for principals.
extension RunService {
    /// The most bytes that a blob may have.
    public var maximumBlobBytes: Int { store.blobs.maximumBytes }

    /// Begins to take a blob in.
    ///
    /// - Parameters:
    ///   - digest: what its digest is said to be.
    ///   - bytes: how many bytes it is said to have; `nil` if that is not said.
    ///   - principal: who sends it.
    ///   - whenRoom: called when there is room again after ``BlobUpload/Progress/full``.
    /// - Returns: where its bytes go.
    /// - Throws: why it is not taken.
    public func upload(
        _ digest: SHA256Digest,
        bytes: Int?,
        of principal: Principal,
        whenRoom: @escaping @Reactor () -> Void
    ) throws(BlobError) -> BlobUpload {
        try store.blobs.upload(digest, bytes: bytes, of: principal.name) { Task { @Reactor in whenRoom() } }
    }

    /// All of a blob has come.
    ///
    /// - Parameters:
    ///   - upload: where its bytes went.
    ///   - completion: called once it is remembered, or with why it is not.
    public func finish(
        _ upload: BlobUpload,
        _ completion: @escaping @Reactor (Result<BlobArrival, BlobError>) -> Void
    ) {
        upload.finish { result in Task { @Reactor in completion(result) } }
    }

    /// Looks a blob up, which counts as its use.
    ///
    /// - Parameters:
    ///   - digest: its name.
    ///   - principal: who asks: it sees what it has uploaded and what its runs hold, an admin everything.
    /// - Returns: where it is, if it is there.
    public func blob(_ digest: SHA256Digest, for principal: Principal) -> BlobStore.Found? {
        store.blobs.find(digest, for: principal.may(.admin) ? nil : principal.name)
    }

    /// Looks up what a run has kept, for somebody who may see the run.
    ///
    /// - Parameter digest: the name of the blob that it is.
    /// - Returns: where it is, as long as the run is remembered.
    public func artifact(_ digest: SHA256Digest) -> BlobStore.Found? { store.blobs.find(digest, for: nil) }
}
