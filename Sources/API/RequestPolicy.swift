internal import HTTPServer

/// Which requests are for this server at all.
///
/// One on loopback can still be reached from every page in the user's browser: by a name that an attacker makes point
/// here (DNS rebinding), or across origins.
struct RequestPolicy {
    private let hostNames: Set<String>
    /// The header that was accepted last: most clients send the same one all the time.
    private var accepted: String?

    /// - Parameter address: where the server listens.
    init(listeningAt address: String) {
        hostNames = ["localhost", "127.0.0.1", "[::1]", address.contains(":") ? "[\(address)]" : address]
    }

    /// Refuses a request that is not meant for this server.
    mutating func check(_ request: Request) throws(Problem) {
        guard let host = request.headers["Host"] else { return }  // HTTP/1.0; without one HTTP/1.1 does not come here
        guard host == accepted || Self.name(host).map({ hostNames.contains($0) }) == true else {
            throw Problem(
                status: 421,
                detail:
                    "This server does not answer for the host \"\(host)\". Use http://127.0.0.1 or http://localhost."
            )
        }
        accepted = host
        if let origin = request.headers["Origin"], origin.lowercased() != "http://" + host.lowercased() {
            throw Problem(status: 403, detail: "Requests from pages of the origin \"\(origin)\" are not allowed.")
        }
    }

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
