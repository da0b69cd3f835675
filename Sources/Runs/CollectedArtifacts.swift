/// What was kept of a run's files, and what was not.
public struct CollectedArtifacts: Sendable, Hashable {
    /// What was kept, in the order of their paths.
    public var kept: [Artifact]
    /// What was left out: the first of them.
    public var omitted: [OmittedArtifact]
    /// How many were left out, those included that are not named.
    public var omittedCount: Int

    /// Nothing was asked for.
    public static let none = CollectedArtifacts()

    /// What was kept and what was not.
    public init(kept: [Artifact] = [], omitted: [OmittedArtifact] = [], omittedCount: Int = 0) {
        self.kept = kept
        self.omitted = omitted
        self.omittedCount = omittedCount
    }
}
