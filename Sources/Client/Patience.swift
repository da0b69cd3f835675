internal import Reactor

/// How long to try again what has failed, and how long to wait before each time.
struct Patience {
    /// Without any success for so long there is no point in going on.
    static let usual: Duration = .seconds(60)
    private static let first: Duration = .milliseconds(100)
    private static let longest: Duration = .seconds(5)

    private let limit: Duration
    private var lastSuccess = MonotonicTime.now
    private var pause = first

    /// - Parameter limit: how long to go on without any success.
    init(_ limit: Duration = usual) { self.limit = limit }

    /// Something worked.
    mutating func succeeded() {
        lastSuccess = .now
        pause = Self.first
    }

    /// Something failed.
    ///
    /// - Parameter seconds: when the server said to come again (Retry-After, RFC 9110 §10.2.3).
    /// - Returns: how long to wait; `nil`: it is not worth it any more.
    mutating func failed(retryAfter seconds: Int? = nil) -> Duration? {
        let asked = Duration.seconds(min(max(seconds ?? 0, 0), 3600))
        // A whole crowd of clients that lost its server at once does not come back at once.
        let usual = pause / 2 + pause / 2 * Double.random(in: 0...1)
        pause = min(pause * 2, Self.longest)
        let wait = max(asked, usual)
        return MonotonicTime.now.advanced(by: wait).since(lastSuccess) > limit ? nil : wait
    }
}
