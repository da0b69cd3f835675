/// How much of what is finished is remembered; the oldest runs go first.
public struct Retention: Sendable, Hashable {
    /// How many finished runs.
    public var runs: Int
    /// How many bytes their output and records may take together.
    public var bytes: Int
    /// How long, in seconds; `nil`: as long as there is room.
    public var seconds: Int?

    /// What is kept unless somebody says otherwise.
    public init(runs: Int = 100_000, bytes: Int = 4 << 30, seconds: Int? = nil) {
        self.runs = runs
        self.bytes = bytes
        self.seconds = seconds
    }
}
