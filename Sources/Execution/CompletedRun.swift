public import Runs

/// A run that is over, as a ``Runner`` returns it.
public struct CompletedRun: Sendable, Hashable {
    /// How it ended.
    public let outcome: Outcome
    /// What it used; `nil` when it never started.
    public let usage: Usage?
    /// What was kept of its output.
    public let standardOutput: CapturedOutput
    /// What was kept of its diagnostics.
    public let standardError: CapturedOutput
}
