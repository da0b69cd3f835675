public import Digests

/// A client's name for a request: sent again, it does nothing again.
///
/// Source: draft-ietf-httpapi-idempotency-key-header.
public struct IdempotencyKey: Sendable, Hashable {
    /// What the client calls it.
    public let text: String
    /// What it asked for: the digest of the request's body, byte by byte.
    public let body: SHA256Digest

    /// A key and the body that came with it.
    public init(_ text: String, body: SHA256Digest) {
        self.text = text
        self.body = body
    }
}
