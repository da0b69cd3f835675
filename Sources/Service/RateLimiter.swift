internal import Reactor

/// How many runs each principal may still ask for: a token bucket of a minute's worth, which fills as time goes by.
struct RateLimiter {
    /// In seconds.
    private static let window = 60.0

    private struct Bucket {
        var tokens: Double
        var time: MonotonicTime
    }

    private var buckets: [String: Bucket] = [:]

    /// Takes one, if there is one.
    ///
    /// - Parameters:
    ///   - principal: whose.
    ///   - quota: how many a minute.
    ///   - now: the time.
    /// - Returns: whether there was one, and how many are left.
    mutating func take(of principal: String, quota: Int, at now: MonotonicTime) -> RateState {
        let most = Double(quota)
        var bucket = buckets[principal] ?? Bucket(tokens: most, time: now)
        let passed = now.since(bucket.time) / .seconds(1)
        bucket.tokens = min(bucket.tokens + max(passed, 0) * most / Self.window, most)
        bucket.time = now
        let isAllowed = bucket.tokens >= 1
        if isAllowed { bucket.tokens -= 1 }
        buckets[principal] = bucket
        return RateState(
            isAllowed: isAllowed,
            quota: quota,
            remaining: Int(bucket.tokens),
            secondsToNext: isAllowed ? 0 : Int(((1 - bucket.tokens) * Self.window / most).rounded(.up)),
            secondsToAll: Int(((most - bucket.tokens) * Self.window / most).rounded(.up))
        )
    }

    /// Forgets those who are not there any more.
    mutating func keep(only principals: Set<String>) {
        buckets = buckets.filter { principals.contains($0.key) }
    }
}
