public import Store

/// What came of the wish to forget a run.
public enum ForgetAnswer: Sendable, Hashable {
    /// It is forgotten, and its output with it.
    case forgotten
    /// It is not finished.
    case unfinished
    /// There is no such run.
    case unknown
    /// The disk says no.
    case failed(StoreError)
}
