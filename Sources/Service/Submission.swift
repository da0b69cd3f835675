public import Digests
public import Runs
public import Store

/// What a client asks for.
public struct Submission: Sendable {
    /// What to run.
    public var specification: RunSpecification
    /// Whose it is.
    public var principal: String
    /// Whether it may use blobs of everybody's, and not only its own.
    public var seesAllBlobs = false
    /// The client's name for this request: sent again, it gives the same run.
    public var key: IdempotencyKey?
    /// The digest of the specification, if an earlier run of it will do.
    public var cacheDigest: SHA256Digest?
    /// The trace that the request is part of, for the log.
    public var trace: TraceContext?

    /// A wish for a run.
    public init(
        _ specification: RunSpecification,
        of principal: String = "",
        key: IdempotencyKey? = nil,
        cacheDigest: SHA256Digest? = nil
    ) {
        self.specification = specification
        self.principal = principal
        self.key = key
        self.cacheDigest = cacheDigest
    }
}
