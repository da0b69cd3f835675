public import Runs

/// The run that a client gets for its wish.
public struct Acceptance: Sendable, Hashable {
    /// The run, as it stands.
    public let run: Run
    /// Whether it is the earlier run of somebody who asked for the same (`cache: true`); it may still be under way.
    public let isCached: Bool
}
