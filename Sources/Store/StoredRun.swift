public import Runs

/// A run as it is remembered.
public struct StoredRun: Sendable, Hashable {
    /// The run.
    public var run: Run
    /// Whose it is.
    public var principal: String
    /// In which order both streams were written, as far as it is known.
    public var order: OutputOrder

    /// A run and whose it is.
    public init(run: Run, principal: String, order: OutputOrder = OutputOrder()) {
        self.run = run
        self.principal = principal
        self.order = order
    }
}
