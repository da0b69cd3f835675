/// Where a blob is.
public struct BlobFile: Sendable, Hashable {
    /// Its path on the host.
    public let path: String
    /// How many bytes it has.
    public let bytes: Int

    /// A blob that is there.
    public init(path: String, bytes: Int) {
        self.path = path
        self.bytes = bytes
    }
}
