package import Identity

/// The limits of a service.
package struct ServiceLimits: Sendable, Hashable {
    /// The maximum number of commands that run concurrently.
    package var concurrency: Int
    /// The maximum number of queued runs.
    package var queued: Int
    /// The limits of each principal that has no limits of its own.
    package var principal: PrincipalLimits
    /// The limits of the artifacts that a run keeps.
    package var artifacts: ArtifactLimits

    /// Creates limits under which one principal may use the whole concurrency while no other principal needs it.
    package init(
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

/// The limits of the artifacts that one run keeps.
package struct ArtifactLimits: Sendable, Hashable {
    /// The maximum number of files.
    package var count: Int
    /// The maximum size of one file in bytes.
    package var bytes: Int
    /// The maximum size of all files together in bytes.
    package var totalBytes: Int
    /// The maximum number of directories between `/box` and a file.
    package var depth: Int

    package init(count: Int = 1000, bytes: Int = 256 << 20, totalBytes: Int = 1 << 30, depth: Int = 32) {
        self.count = count
        self.bytes = bytes
        self.totalBytes = totalBytes
        self.depth = depth
    }
}
