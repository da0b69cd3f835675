/// The network that a run sees.
public enum RunNetwork: String, Sendable, Hashable, CaseIterable {
    /// One of its own, with nothing in it.
    case none
    /// The host's.
    case host
}
