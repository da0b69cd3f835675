/// Somebody who may use the service: a person, a build agent, a web front end.
public struct Principal: Sendable, Hashable {
    /// The name by which runs are remembered as its own; empty if nobody is told apart.
    public let name: String
    /// What it may do.
    public let roles: Set<Role>
    /// Whether it is an admin: asked of every request.
    private let isAdmin: Bool
    /// How much it may have.
    public let limits: PrincipalLimits

    /// A principal.
    public init(name: String, roles: Set<Role>, limits: PrincipalLimits = PrincipalLimits()) {
        self.name = name
        self.roles = roles
        isAdmin = roles.contains(.admin)
        self.limits = limits
    }

    /// Everybody, on a server without tokens.
    public static let everybody = Principal(name: "", roles: [.admin])

    /// Whether it may do what a role allows; an admin may do everything.
    public func may(_ role: Role) -> Bool { isAdmin || roles.contains(role) }

    /// Whether this can be a name: 1 to 64 letters, digits, dots, hyphens and underscores of ASCII.
    ///
    /// It stands in logs and files as it is.
    public static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
