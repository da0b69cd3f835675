/// What an accepted run survives.
public enum Durability: String, Sendable, Hashable, CaseIterable {
    /// The end of the service, however it comes; not that of the host.
    case normal
    /// The end of the host too: the disk has it before the answer leaves (fsync(2)).
    case full
}
