/// What came of asking whether one more run is within the rate.
public struct RateState: Sendable, Hashable {
    /// Whether it is.
    public let isAllowed: Bool
    /// How many there may be in a minute.
    public let quota: Int
    /// How many more there may be now.
    public let remaining: Int
    /// In how many seconds there may be another one; 0 if this one may be.
    public let secondsToNext: Int
    /// In how many seconds there may be as many as ever.
    public let secondsToAll: Int
}
