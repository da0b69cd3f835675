internal import System

/// The pauses between retries: exponential backoff with jitter and a time limit.
struct RetryPolicy {
    private static let firstPause: Duration = .milliseconds(100)
    private static let longestPause: Duration = .seconds(5)

    private let timeout: Duration
    private var lastSuccess = MonotonicTime.now
    private var nextPause = firstPause

    /// - Parameter timeout: The longest time without any success before the client gives up.
    init(timeout: Duration = .seconds(60)) { self.timeout = timeout }

    /// Records a success, which restarts the backoff and the timeout.
    mutating func recordSuccess() {
        lastSuccess = .now
        nextPause = Self.firstPause
    }

    /// Records a failure.
    ///
    /// - Parameter seconds: The server's `Retry-After` (RFC 9110 §10.2.3), at most 3600.
    /// - Returns: The pause before the next try; `nil` if that would exceed the timeout.
    mutating func recordFailure(retryAfter seconds: Int? = nil) -> Duration? {
        let requested = Duration.seconds(min(max(seconds ?? 0, 0), 3600))
        // Jitter: many clients that lose their server at the same time must not all return at the same time.
        let backoff = nextPause / 2 + nextPause / 2 * Double.random(in: 0...1)
        nextPause = min(nextPause * 2, Self.longestPause)
        let pause = max(requested, backoff)
        return MonotonicTime.now.advanced(by: pause).since(lastSuccess) > timeout ? nil : pause
    }
}
