/// How much a service takes on.
public struct ServiceLimits: Sendable, Hashable {
    /// How many commands run at once.
    public var concurrency: Int
    /// How many of them may be one principal's.
    public var concurrencyPerPrincipal: Int
    /// How many runs may wait.
    public var queued: Int

    /// So many commands at once, all of one principal's if nobody else wants any.
    public init(concurrency: Int, queued: Int = 10_000) {
        self.concurrency = concurrency
        concurrencyPerPrincipal = concurrency
        self.queued = queued
    }
}
