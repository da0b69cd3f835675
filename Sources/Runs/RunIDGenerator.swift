/// Makes run ids that never repeat and always rise, also within one millisecond and when the clock steps back.
public struct RunIDGenerator: Sendable {
    private var last: RunID?

    /// A generator that has made none yet, or this one last.
    public init(after last: RunID? = nil) { self.last = last }

    /// The next id.
    ///
    /// - Parameter now: the time of day.
    /// - Returns: an id above every earlier one.
    public mutating func next(now: Timestamp) -> RunID {
        let milliseconds = UInt64(max(0, now.millisecondsSince1970))
        let id: RunID
        if let last, milliseconds <= last.milliseconds {
            // Monotonic: one more than the last. Its random part is full once in 2^80 times: the next millisecond then.
            id = last.successor ?? Self.random(milliseconds: last.milliseconds + 1)
        } else {
            id = Self.random(milliseconds: milliseconds)
        }
        last = id
        return id
    }

    private static func random(milliseconds: UInt64) -> RunID {
        RunID(
            milliseconds: milliseconds,
            randomHigh: .random(in: .min ... .max),
            randomLow: .random(in: .min ... .max)
        )
    }
}
