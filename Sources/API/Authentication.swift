internal import HTTPServer
internal import Identity

/// Who a request is from: `Authorization: Bearer …` (RFC 6750).
struct Authentication {
    /// Who there is; `nil` on a server that tells nobody apart.
    var tokens: TokenTable?

    /// Finds out who a request is from.
    ///
    /// - Throws: 401, if that is nobody.
    func principal(of request: Request) throws(Problem) -> Principal {
        guard let tokens else { return .everybody }
        let fields = request.headers.values(of: "Authorization")
        guard let field = fields.first else {
            throw Self.unauthorized("This server wants to know who asks: send \"Authorization: Bearer TOKEN\".")
        }
        guard fields.count == 1, let token = Self.token(field) else {
            throw Self.unauthorized(
                "The Authorization header is not one \"Bearer TOKEN\".",
                error: "invalid_request"
            )
        }
        guard let principal = tokens.principal(of: Array(token)) else {
            throw Self.unauthorized("The token is not one of this server's, or not any more.", error: "invalid_token")
        }
        return principal
    }

    /// Refuses what a principal may not do.
    ///
    /// - Throws: 403, with the role that it takes.
    static func require(_ role: Role, of principal: Principal) throws(Problem) {
        guard !principal.may(role) else { return }
        throw Problem(
            status: 403,
            detail: "This takes the role \"\(role.rawValue)\", which \(principal.name) does not have.",
            headers: [
                HeaderField("WWW-Authenticate", "Bearer error=\"insufficient_scope\", scope=\"\(role.rawValue)\"")
            ]
        )
    }

    /// The token of a header's value: a scheme in whatever case, spaces, and characters of `token68` (RFC 9110, 11.2).
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
