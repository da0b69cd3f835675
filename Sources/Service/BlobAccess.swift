package import Identity
package import Reactor
package import Store
package import System

/// The blobs that a principal may upload and read.
@ReactorActor
package struct BlobAccess {
    private let blobs: BlobStore

    init(_ blobs: BlobStore) { self.blobs = blobs }

    /// The maximum size of a blob in bytes.
    package var maximumBytes: Int { blobs.maximumBytes }

    /// Begins an upload.
    ///
    /// - Parameters:
    ///   - digest: the digest that the client announced.
    ///   - bytes: the announced size in bytes; `nil` if the client announced none.
    ///   - principal: the uploading principal.
    ///   - whenWritable: called when the upload accepts bytes again after ``BlobUpload/Progress/full``.
    /// - Returns: the upload, which takes the bytes.
    /// - Throws: `BlobError` if the store does not accept the blob.
    package func upload(
        _ digest: SHA256Digest,
        bytes: Int?,
        of principal: Principal,
        whenWritable: @escaping @ReactorActor () -> Void
    ) throws(BlobError) -> BlobUpload {
        try blobs.upload(digest, bytes: bytes, of: principal.name, whenWritable: onReactor(whenWritable))
    }

    /// Finishes an upload after its last byte and returns when the blob is stored.
    ///
    /// - Throws: `BlobError` if the blob was not stored.
    package func finish(_ upload: BlobUpload) async throws(BlobError) -> BlobUploadResult {
        try await withCheckedContinuation { continuation in
            upload.finish { continuation.resume(returning: $0) }
        }.get()
    }

    /// Finds a blob and counts the call as a use of the blob.
    ///
    /// A principal sees the blobs that it uploaded and those that its runs hold. An admin sees all blobs.
    package func find(_ digest: SHA256Digest, for principal: Principal) -> StoredBlob? {
        blobs.find(digest, for: principal.may(.admin) ? nil : principal.name)
    }

    /// Finds an artifact of a run.
    ///
    /// The caller has checked that the principal may see the run, which holds the blob.
    package func findArtifact(_ digest: SHA256Digest) -> StoredBlob? { blobs.find(digest, for: nil) }
}
