internal import HTTPServer

/// An allowed origin of another server's page, and the headers that its browser needs.
///
/// Source: the CORS protocol, <https://fetch.spec.whatwg.org/#http-cors-protocol>.
struct CrossOrigin {
    /// The origin as the browser sent it.
    let origin: String

    /// The response headers that a page may read, in addition to those that CORS always exposes.
    private static let exposedHeaders = [
        "Accept-Ranges", "Allow", "Content-Range", "ETag", "Link", "Location", "Preference-Applied", "RateLimit",
        "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-Id",
    ]
    /// The request headers that a page may send.
    private static let allowedHeaders = [
        "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Range", "Last-Event-ID", "Prefer",
        "Range",
        "traceparent", "tracestate", "X-Request-Id",
    ]
    /// The time in seconds for which a browser may cache a preflight response.
    ///
    /// Browsers have maximums of their own.
    private static let maximumAge = 600

    /// The headers of every response, including errors, which the page could not read otherwise.
    var headers: [HeaderField] {
        [
            HeaderField("Access-Control-Allow-Origin", origin),
            HeaderField("Access-Control-Expose-Headers", Self.exposedHeaders.joined(separator: ", ")),
        ]
    }

    /// Returns the additional headers of the response to a preflight request; none for any other request.
    static func preflightHeaders(_ request: Request, allow: [String]) -> [HeaderField] {
        guard request.headers["Access-Control-Request-Method"] != nil else { return [] }
        var headers = [
            HeaderField("Access-Control-Allow-Methods", allow.joined(separator: ", ")),
            HeaderField("Access-Control-Allow-Headers", allowedHeaders.joined(separator: ", ")),
            HeaderField("Access-Control-Max-Age", "\(maximumAge)"),
        ]
        // A public page requests access to a server in a private network
        // (https://wicg.github.io/private-network-access/).
        if request.headers["Access-Control-Request-Private-Network"] == "true" {
            headers.append(HeaderField("Access-Control-Allow-Private-Network", "true"))
        }
        return headers
    }
}
