/// Whether the host has one of the things that a sandbox rests on.
public struct HostFinding: Sendable, Hashable {
    /// What came of looking.
    public enum State: String, Sendable, Hashable {
        /// It is there.
        case present
        /// It is not.
        case missing
        /// What comes before it failed, so it was not tried.
        case unknown
    }

    /// What was looked for.
    public let feature: HostFeature
    /// What came of it.
    public let state: State
    /// A few words more, such as a version.
    public let detail: String
}
