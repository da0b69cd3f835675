internal import HTTPServer

/// Which requests are for this server at all.
///
/// One on loopback can still be reached from every page in the user's browser: by a name that an attacker makes point
/// here (DNS rebinding), or across origins.
struct RequestPolicy {
    private let hostNames: Set<String>
    private let origins: Set<String>
    private let scheme: String
    /// The header that was accepted last: most clients send the same one all the time.
    private var accepted: String?

    /// - Parameters:
    ///   - address: where the server listens.
    ///   - rules: whom else it answers.
    init(listeningAt address: String, _ rules: AccessRules = AccessRules()) {
        hostNames = Set(
            ["localhost", "127.0.0.1", "[::1]", address.contains(":") ? "[\(address)]" : address]
                + rules.hosts.map { $0.lowercased() }
        )
        origins = Set(rules.origins.map { $0.lowercased() })
        scheme = rules.isEncrypted ? "https" : "http"
    }

    /// Refuses a request that is not meant for this server.
    ///
    /// - Returns: the origin of the page that sent it, if that is another server's that may.
    mutating func check(_ request: Request) throws(Problem) -> CrossOrigin? {
        let host = request.headers["Host"]
        // Without one it is HTTP/1.0: of HTTP/1.1 none comes here.
        if let host {
            guard host == accepted || Self.name(host).map({ hostNames.contains($0) }) == true else {
                throw Problem(
                    status: 421,
                    detail: "This server does not answer for the host \"\(host)\". Use a name that it was given "
                        + "(--allow-host), or \(scheme)://127.0.0.1 or \(scheme)://localhost on its own machine."
                )
            }
            accepted = host
        }
        guard let origin = request.headers["Origin"] else { return nil }
        let lowercased = origin.lowercased()
        if let host, lowercased == "\(scheme)://\(host.lowercased())" { return nil }
        guard origins.contains(lowercased), request.headers.values(of: "Origin").count == 1 else {
            throw Problem(
                status: 403,
                detail: "Requests from pages of the origin \"\(origin)\" are not allowed (--allow-origin allows them)."
            )
        }
        return CrossOrigin(origin: origin)
    }

    /// Whether answers differ by the origin of who asks, which caches have to know.
    var variesByOrigin: Bool { !origins.isEmpty }

    /// Refuses a body that does not say that it is JSON.
    ///
    /// A page's form cannot say so.
    func checkContentType(_ request: Request) throws(Problem) {
        let type = request.headers["Content-Type"]?.prefix { $0 != ";" && $0 != " " }.lowercased()
        guard type == "application/json" else {
            throw Problem(
                status: 415,
                detail: "The body must be JSON: send it with \"Content-Type: application/json\".",
                headers: [HeaderField("Accept", "application/json")]
            )
        }
    }

    /// The host without its port, in lower case; `nil` if it is neither.
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
