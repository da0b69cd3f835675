/// How much room blobs may take, and for how long.
public struct BlobLimits: Sendable, Hashable {
    /// How many bytes all of them may take together, each at least one block of 4096.
    public var bytes: Int
    /// How long one is kept that no run holds, in seconds since its last use.
    public var keptSeconds: Int
    /// How many may be on their way in at once; each takes some 300 KiB of memory.
    public var uploads: Int

    /// What there may be unless somebody says otherwise.
    public init(bytes: Int = 8 << 30, keptSeconds: Int = 3600, uploads: Int = 64) {
        self.bytes = bytes
        self.keptSeconds = keptSeconds
        self.uploads = uploads
    }
}
