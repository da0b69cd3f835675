/// A file of a run that was kept when its command had ended.
public struct Artifact: Sendable, Hashable {
    /// Its path below `/box`.
    public let path: String
    /// How many bytes it has.
    public let bytes: Int
    /// The SHA-256 of what is in it, as 64 hexadecimal digits in lower case: the name of the blob that it is.
    public let sha256: String
    /// Whether its owner may execute it.
    public let isExecutable: Bool

    /// A file that was kept.
    public init(path: String, bytes: Int, sha256: String, isExecutable: Bool) {
        self.path = path
        self.bytes = bytes
        self.sha256 = sha256
        self.isExecutable = isExecutable
    }
}
