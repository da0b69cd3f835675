/// Why this service ends a run.
public enum StopReason: Sendable, Hashable {
    /// Its time is up.
    case timedOut
    /// It wrote too much and had asked to be ended then.
    case outputLimit
    /// A client, or the end of the service, cancelled it.
    case cancelled
}
