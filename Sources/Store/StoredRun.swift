public import Runs

/// A run as it is remembered.
public struct StoredRun: Sendable, Hashable {
    /// The run.
    public var run: Run
    /// Whose it is.
    public var principal: String

    /// A run and whose it is.
    public init(run: Run, principal: String) {
        self.run = run
        self.principal = principal
    }
}
