/// How much one principal may have; `nil` is whatever the service allows everybody.
public struct PrincipalLimits: Sendable, Hashable {
    /// How many of its commands run at once.
    public var concurrency: Int?
    /// How many of its runs may wait for their turn.
    public var queued: Int?
    /// How many runs it may ask for in a minute.
    public var runsPerMinute: Int?

    /// No limits of its own, unless some are given.
    public init(concurrency: Int? = nil, queued: Int? = nil, runsPerMinute: Int? = nil) {
        self.concurrency = concurrency
        self.queued = queued
        self.runsPerMinute = runsPerMinute
    }

    /// These limits, and where they say nothing, others.
    public func over(_ others: PrincipalLimits) -> PrincipalLimits {
        PrincipalLimits(
            concurrency: concurrency ?? others.concurrency,
            queued: queued ?? others.queued,
            runsPerMinute: runsPerMinute ?? others.runsPerMinute
        )
    }
}
