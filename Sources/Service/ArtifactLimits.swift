/// How much of what a run leaves is kept.
public struct ArtifactLimits: Sendable, Hashable {
    /// How many files.
    public var count: Int
    /// The most bytes of each.
    public var bytes: Int
    /// The most bytes of all together.
    public var totalBytes: Int
    /// In how many folders below `/box` a file may be.
    public var depth: Int

    /// What there may be unless somebody says otherwise.
    public init(count: Int = 1000, bytes: Int = 256 << 20, totalBytes: Int = 1 << 30, depth: Int = 32) {
        self.count = count
        self.bytes = bytes
        self.totalBytes = totalBytes
        self.depth = depth
    }
}
