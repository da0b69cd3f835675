internal import HTTPServer

/// A page of another server that may use this one, and what its browser has to be told for that.
///
/// Source: the CORS protocol, <https://fetch.spec.whatwg.org/#http-cors-protocol>.
struct CrossOrigin {
    /// As the browser sent it.
    let origin: String

    /// What a page may read of an answer beside its body and content type.
    private static let exposed = [
        "Accept-Ranges", "Allow", "Content-Range", "ETag", "Link", "Location", "Preference-Applied", "RateLimit",
        "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-Id",
    ]
    /// What a page may send.
    private static let allowed = [
        "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Last-Event-ID", "Prefer",
        "Range",
        "traceparent", "tracestate", "X-Request-Id",
    ]
    /// In seconds, how long a browser may remember what it may do; browsers cap it themselves.
    private static let remembered = 600

    /// For every answer: also for an error, which the page would not see otherwise.
    var headers: [HeaderField] {
        [
            HeaderField("Access-Control-Allow-Origin", origin),
            HeaderField("Access-Control-Expose-Headers", Self.exposed.joined(separator: ", ")),
        ]
    }

    /// For the answer to the question whether a request may be sent; none if the request is no such question.
    static func preflightHeaders(_ request: Request, allow: [String]) -> [HeaderField] {
        guard request.headers["Access-Control-Request-Method"] != nil else { return [] }
        var headers = [
            HeaderField("Access-Control-Allow-Methods", allow.joined(separator: ", ")),
            HeaderField("Access-Control-Allow-Headers", allowed.joined(separator: ", ")),
            HeaderField("Access-Control-Max-Age", "\(remembered)"),
        ]
        // A page of the internet asks for a server of a private network (https://wicg.github.io/private-network-access/).
        if request.headers["Access-Control-Request-Private-Network"] == "true" {
            headers.append(HeaderField("Access-Control-Allow-Private-Network", "true"))
        }
        return headers
    }
}
