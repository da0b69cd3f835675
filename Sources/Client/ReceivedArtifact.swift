internal import Digests
internal import JSON

/// A file that a run left, as a server tells it.
public struct ReceivedArtifact: Sendable {
    /// Where it was below `/box`, as the server says: not to be trusted.
    public let path: String
    /// How many bytes it has.
    public let bytes: Int
    /// Whether it may be executed.
    public let isExecutable: Bool
    let digest: SHA256Digest

    init(_ value: JSONValue) throws(ClientError) {
        guard let object = value.object, let path = object["path"]?.string, let bytes = object["bytes"]?.integer,
            bytes >= 0, let digest = object["sha256"]?.string.flatMap(SHA256Digest.init(hexadecimal:))
        else { throw .misunderstood("The server sent an artifact that is none.") }
        (self.path, self.bytes, self.digest) = (path, bytes, digest)
        isExecutable = object["executable"]?.bool ?? false
    }
}
