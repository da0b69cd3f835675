internal import HTTPServer
internal import Service

/// `RateLimit` and `RateLimit-Policy`: how many runs a principal may still ask for.
///
/// Source: draft-ietf-httpapi-ratelimit-headers-10. The policy's name is `runs`, its window a minute.
enum RateLimitFields {
    static func headers(_ state: RateState) -> [HeaderField] {
        [
            HeaderField("RateLimit-Policy", "\"runs\";q=\(state.quota);w=60"),
            HeaderField("RateLimit", "\"runs\";r=\(state.remaining);t=\(state.secondsToAll)"),
        ]
    }

    /// What a request gets that is one too many.
    static func refusal(_ state: RateState) -> Problem {
        Problem(
            status: 429,
            detail: "You may ask for \(state.quota) runs a minute. Try again in \(state.secondsToNext) s.",
            headers: [HeaderField("Retry-After", "\(state.secondsToNext)")]
        )
    }
}
