internal import HTTPServer

/// The host names of a server and the pages that may use it.
package struct AccessRules: Sendable {
    /// Additional host names without a port, such as `build.example.com`.
    ///
    /// Loopback names and the server's address are always accepted.
    package var hosts: [String] = []
    /// Additional origins of pages that may use the server from a browser, such as `https://app.example.com`.
    package var origins: [String] = []
    /// True if clients connect over TLS, so that the server's own origin has the scheme `https`.
    package var isEncrypted = false
    /// The URL under which clients reach the server through a proxy; `nil` if requests state it, or nothing does.
    package var publicURL: PublicURL?
    /// The addresses of the proxies whose `X-Forwarded-Prefix` and `Forwarded` headers are believed.
    package var trustedProxies: [AddressRange] = []

    /// Creates the rules of a server on loopback.
    package init() {}
}

/// The policy that rejects requests that are not intended for this server.
///
/// A page in the user's browser can reach a server on loopback in two ways. An attacker's host name may resolve to
/// the loopback address (DNS rebinding), or the page may send cross-origin requests.
struct RequestPolicy {
    private let hostNames: Set<String>
    private let origins: Set<String>
    private let publicOrigin: String?
    private let scheme: String
    /// The last accepted `Host` header.
    ///
    /// Most clients always send the same one.
    private var acceptedHost: String?

    /// - Parameters:
    ///   - address: the address on which the server listens.
    ///   - rules: the additional host names and origins.
    init(listeningAt address: String, _ rules: AccessRules = AccessRules()) {
        hostNames = Set(
            ["localhost", "127.0.0.1", "[::1]", address.contains(":") ? "[\(address)]" : address]
                + (rules.hosts + (rules.publicURL.map { [$0.host] } ?? [])).map { $0.lowercased() }
        )
        origins = Set(rules.origins.map { $0.lowercased() })
        // The pages of the server itself have this origin behind a proxy, whatever Host the proxy sends.
        publicOrigin = rules.publicURL?.origin
        scheme = rules.isEncrypted ? "https" : "http"
    }

    /// Checks the host and the origin of a request.
    ///
    /// - Returns: the origin, if the request comes from an allowed page of another server.
    /// - Throws: a 421 problem for an unknown host, a 403 problem for an origin that is not allowed.
    mutating func check(_ request: Request) throws(Problem) -> CrossOrigin? {
        let host = request.headers["Host"]
        // Only HTTP/1.0 requests have no host: the HTTP server rejects HTTP/1.1 requests without one.
        if let host {
            guard host == acceptedHost || Self.name(host).map({ hostNames.contains($0) }) == true else {
                throw Problem(
                    status: 421,
                    detail:
                        "The host \"\(host)\" is not a name of this server. Use a name that --allow-host accepts, or "
                        + "\(scheme)://127.0.0.1 or \(scheme)://localhost on the server's own machine."
                )
            }
            acceptedHost = host
        }
        guard let origin = request.headers["Origin"] else { return nil }
        let lowercased = origin.lowercased()
        if let host, lowercased == "\(scheme)://\(host.lowercased())" { return nil }
        if let publicOrigin, lowercased == publicOrigin { return nil }
        guard origins.contains(lowercased), request.headers.values(of: "Origin").count == 1 else {
            throw Problem(
                status: 403,
                detail: "Requests from pages of the origin \"\(origin)\" are not allowed. The server's option "
                    + "--allow-origin allows an origin."
            )
        }
        return CrossOrigin(origin: origin)
    }

    /// True if responses depend on the `Origin` header, which caches must know.
    var variesByOrigin: Bool { !origins.isEmpty }

    /// Checks that a request declares its body as JSON, which the form of a page in a browser cannot do.
    ///
    /// - Throws: a 415 problem for any other content type.
    static func checkContentType(_ request: Request) throws(Problem) {
        let type = request.headers["Content-Type"]?.prefix { $0 != ";" && $0 != " " }.lowercased()
        guard type == "application/json" else {
            throw Problem(
                status: 415,
                detail: "The body must be JSON. Send it with \"Content-Type: application/json\".",
                headers: [HeaderField("Accept", "application/json")]
            )
        }
    }

    /// Checks that the content of a request is not encoded, for example compressed.
    ///
    /// - Throws: a 415 problem for every content coding except `identity` (RFC 9110, section 15.5.16; RFC 7694).
    static func checkContentEncoding(_ request: Request) throws(Problem) {
        guard let first = request.headers["Content-Encoding"] else { return }
        let codings = request.headers.values(of: "Content-Encoding").joined(separator: ",").split(separator: ",")
        let isIdentity = codings.allSatisfy { coding in
            let name = coding.filter { $0 != " " && $0 != "\t" }
            return name.isEmpty || name.lowercased() == "identity"
        }
        guard !isIdentity else { return }
        throw Problem(
            status: 415,
            detail: "The content coding \"\(first)\" is not supported. Send the body without Content-Encoding.",
            headers: [HeaderField("Accept-Encoding", "identity")]
        )
    }

    /// Returns the name in a `Host` header in lower case, without the port; `nil` if the header is malformed.
    private static func name(_ host: String) -> String? {
        let text = host.utf8
        let isLiteral = text.first == UInt8(ascii: "[")
        let end = isLiteral ? text.firstIndex(of: UInt8(ascii: "]")).map(text.index(after:)) : nil
        let nameEnd = end ?? text.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
        let port = text[nameEnd...]
        guard
            port.isEmpty
                || (port.first == UInt8(ascii: ":") && port.dropFirst().allSatisfy { (0x30...0x39).contains($0) })
        else { return nil }
        return host[..<nameEnd].lowercased()
    }
}

/// An allowed origin of another server's page, and the headers that its browser needs.
///
/// Source: the CORS protocol, <https://fetch.spec.whatwg.org/#http-cors-protocol>.
struct CrossOrigin {
    /// The origin as the browser sent it.
    let origin: String

    /// The response headers that a page may read, in addition to those that CORS always exposes.
    private static let exposedHeaders = [
        "Accept-Encoding", "Accept-Ranges", "Allow", "Content-Range", "ETag", "Link", "Location", "Preference-Applied",
        "RateLimit",
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
