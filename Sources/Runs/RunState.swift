/// Where a run is.
///
/// Only these three, ever: a client polls until `finished`.
public enum RunState: String, Sendable, Hashable, CaseIterable {
    /// It waits for its turn.
    case queued
    /// Its slot is being made, or its command is running or being ended.
    case running
    /// It has an outcome.
    case finished
}
