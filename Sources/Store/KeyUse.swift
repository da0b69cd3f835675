public import Runs

/// The first use of a key, which later ones are answered with.
public struct KeyUse: Sendable, Hashable {
    /// How long a key stands for its run, in milliseconds: a day.
    public static let lifetimeMilliseconds: Int64 = 24 * 3600 * 1000

    /// The key, and the body that came with it first.
    public let key: IdempotencyKey
    /// The run that was the answer.
    public let run: RunID
    /// When that was.
    public let since: Timestamp
    /// Whether that run was an earlier one (`cache: true`).
    public let isCached: Bool

    /// The use of a key for a run.
    public init(_ key: IdempotencyKey, for run: RunID, since: Timestamp, isCached: Bool = false) {
        self.key = key
        self.run = run
        self.since = since
        self.isCached = isCached
    }

    /// Whether the key still stands for its run.
    ///
    /// A clock that was set back makes it do so for longer.
    public func isValid(at now: Timestamp) -> Bool {
        now.millisecondsSince1970 - since.millisecondsSince1970 < Self.lifetimeMilliseconds
    }
}
