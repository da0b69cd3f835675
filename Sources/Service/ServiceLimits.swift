public import Identity

/// How much a service takes on.
public struct ServiceLimits: Sendable, Hashable {
    /// How many commands run at once.
    public var concurrency: Int
    /// How many runs may wait.
    public var queued: Int
    /// How much of that each principal may have that has no limits of its own.
    public var principal: PrincipalLimits
    /// How much of what a run leaves is kept.
    public var artifacts: ArtifactLimits

    /// So many commands at once, all of one principal's if nobody else wants any.
    public init(
        concurrency: Int,
        queued: Int = 10_000,
        principal: PrincipalLimits = PrincipalLimits(),
        artifacts: ArtifactLimits = ArtifactLimits()
    ) {
        self.concurrency = concurrency
        self.queued = queued
        self.principal = principal
        self.artifacts = artifacts
    }
}
