internal import Reactor
internal import System

/// The state of a principal's rate limit after one request.
package struct RateState: Sendable, Hashable {
    /// True if the request is within the limit.
    package let isAllowed: Bool
    /// The number of runs that the principal may submit per minute.
    package let quota: Int
    /// The number of runs that the principal may still submit now.
    package let remaining: Int
    /// The number of seconds until the principal may submit the next run; 0 if the request is within the limit.
    package let secondsToNext: Int
    /// The number of seconds until the whole quota is available again.
    package let secondsToAll: Int
}

/// A token bucket for each principal, which holds the runs of one minute and fills continuously.
struct RateLimiter {
    /// The time in seconds in which an empty bucket fills.
    private static let window = 60.0

    private struct Bucket {
        var tokens: Double
        var time: MonotonicTime
    }

    private var buckets: [String: Bucket] = [:]

    /// Takes a token from a principal's bucket if it holds one.
    ///
    /// - Parameters:
    ///   - principal: the name of the principal.
    ///   - quota: the number of runs per minute.
    ///   - now: the current time.
    /// - Returns: whether there was a token, and the state of the bucket.
    mutating func take(of principal: String, quota: Int, at now: MonotonicTime) -> RateState {
        let capacity = Double(quota)
        var bucket = buckets[principal] ?? Bucket(tokens: capacity, time: now)
        let passed = now.since(bucket.time) / .seconds(1)
        bucket.tokens = min(bucket.tokens + max(passed, 0) * capacity / Self.window, capacity)
        bucket.time = now
        let isAllowed = bucket.tokens >= 1
        if isAllowed { bucket.tokens -= 1 }
        buckets[principal] = bucket
        return RateState(
            isAllowed: isAllowed,
            quota: quota,
            remaining: Int(bucket.tokens),
            secondsToNext: isAllowed ? 0 : Int(((1 - bucket.tokens) * Self.window / capacity).rounded(.up)),
            secondsToAll: Int(((capacity - bucket.tokens) * Self.window / capacity).rounded(.up))
        )
    }

    /// Removes the buckets of all other principals.
    mutating func keep(only principals: Set<String>) {
        buckets = buckets.filter { principals.contains($0.key) }
    }
}
