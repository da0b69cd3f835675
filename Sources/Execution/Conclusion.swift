public import Runs
public import Sandbox

/// The end of an execution.
public struct Conclusion: Sendable {
    /// How it ended.
    public let outcome: Outcome
    /// What it used; `nil` when it never started.
    public let usage: Usage?
    /// How many bytes it wrote to descriptor 1, also past the limit.
    public let outputBytes: Int
    /// How many bytes it wrote to descriptor 2, also past the limit.
    public let errorBytes: Int
    /// What it has left in `/box`, if it asked for something of that to be kept and ended where it can be had.
    public let leftFiles: LeftFiles?
}
