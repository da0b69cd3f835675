public import Digests

/// Why a blob is not taken.
public enum BlobError: Error, Sendable, Hashable {
    /// What came has another digest, this one.
    case wrongDigest(SHA256Digest)
    /// There is no room for it among the blobs, which may take so many bytes.
    case overQuota(Int)
    /// So many are on their way in already.
    case tooManyUploads(Int)
    /// It cannot be written.
    case notStored(StoreError)
    /// It was given up before it was whole.
    case cutOff
}
