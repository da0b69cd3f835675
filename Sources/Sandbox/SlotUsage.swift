/// What a run used, where only the launcher is left to say so.
public struct SlotUsage: Sendable, Hashable {
    /// Processor time in user mode of all processes of the run.
    public let user: Duration
    /// Processor time in the kernel of all processes of the run.
    public let system: Duration
    /// The most memory that they had together.
    public let peakMemoryBytes: Int
}
