internal import HTTPServer
internal import Identity

/// The authentication of requests by their bearer token (RFC 6750), which yields their principal.
struct Authentication {
    /// The accepted tokens; `nil` on a server without principals.
    var tokens: TokenTable?

    /// Returns the principal of a request.
    ///
    /// - Throws: a 401 problem if the request has no valid token.
    func principal(of request: Request) throws(Problem) -> Principal {
        guard let tokens else { return .anonymous }
        let fields = request.headers.values(of: "Authorization")
        guard let field = fields.first else {
            throw Self.unauthorized("Authentication required. Send \"Authorization: Bearer TOKEN\".")
        }
        guard fields.count == 1, let token = Self.token(field) else {
            throw Self.unauthorized(
                "The Authorization header is invalid. Send one header \"Authorization: Bearer TOKEN\".",
                error: "invalid_request"
            )
        }
        guard let principal = tokens.principal(of: Array(token)) else {
            throw Self.unauthorized("The token is unknown or revoked. Use a current token.", error: "invalid_token")
        }
        return principal
    }

    /// Checks that the principal of a request may use an endpoint, and returns the principal.
    ///
    /// - Throws: a 401 problem without a valid token, or a 403 problem without the necessary role.
    func authorize(_ request: Request, for access: Endpoint.Access) throws(Problem) -> Principal {
        if case .public = access { return .anonymous }
        let principal = try principal(of: request)
        switch access {
        case .public, .authenticated: break
        case .role(let role): try Self.require(role, of: principal)
        case .readOrRun: if !principal.may(.run) { try Self.require(.read, of: principal) }
        }
        return principal
    }

    private static func require(_ role: Role, of principal: Principal) throws(Problem) {
        guard !principal.may(role) else { return }
        throw Problem(
            status: 403,
            detail:
                "This request requires the role \"\(role.rawValue)\", which the principal \(principal.name) does not "
                + "have. Use the token of a principal with that role.",
            headers: [
                HeaderField("WWW-Authenticate", "Bearer error=\"insufficient_scope\", scope=\"\(role.rawValue)\"")
            ]
        )
    }

    /// Returns the token of a header value: a scheme in any case, spaces, and characters of `token68` (RFC 9110, 11.2).
    private static func token(_ value: String) -> Substring.UTF8View? {
        let scheme = value.prefix { $0 != " " }
        guard scheme.lowercased() == "bearer" else { return nil }
        let token = value[scheme.endIndex...].drop { $0 == " " }.utf8
        let isToken = token.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="):
                true
            default: false
            }
        }
        return isToken && !token.isEmpty ? token : nil
    }

    private static func unauthorized(_ detail: String, error: String? = nil) -> Problem {
        let challenge = "Bearer realm=\"sandglass\"" + (error.map { ", error=\"\($0)\"" } ?? "")
        return Problem(status: 401, detail: detail, headers: [HeaderField("WWW-Authenticate", challenge)])
    }
}
