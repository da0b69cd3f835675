/// A client of the service with a name of its own: a person, a build agent, a web front end.
package struct Principal: Sendable, Hashable {
    /// The name that the store records as the owner of this principal's runs; empty for ``anonymous``.
    package let name: String
    /// The roles that the operator granted.
    package let roles: Set<Role>
    /// Precomputed, because every request checks it.
    private let isAdmin: Bool
    /// The limits of this principal.
    package let limits: PrincipalLimits

    /// Creates a principal.
    package init(name: String, roles: Set<Role>, limits: PrincipalLimits = PrincipalLimits()) {
        self.name = name
        self.roles = roles
        isAdmin = roles.contains(.admin)
        self.limits = limits
    }

    /// The principal of every client on a server without tokens: it has no name and may do everything.
    package static let anonymous = Principal(name: "", roles: [.admin])

    /// Returns whether the principal has a role; an admin has every role.
    package func may(_ role: Role) -> Bool { isAdmin || roles.contains(role) }

    /// Returns whether a text is a valid name: 1 to 64 ASCII letters, digits, dots, hyphens and underscores.
    ///
    /// Logs and files contain the name without any escaping.
    package static func isValidName(_ text: String) -> Bool {
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

/// A permission of a principal.
package enum Role: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Create runs, and cancel and delete its own runs.
    case run
    /// Read its own runs.
    case read
    /// Create, cancel, delete and read the runs of every principal, and read server-wide data (`GET /metrics`).
    case admin

    /// Orders roles as they are declared, which is the order in a token file.
    package static func < (left: Role, right: Role) -> Bool { left.index < right.index }

    private var index: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// The limits of one principal; `nil` means the server's default for all principals.
package struct PrincipalLimits: Sendable, Hashable {
    /// The maximum number of concurrent commands.
    package var concurrency: Int?
    /// The maximum number of queued runs.
    package var queued: Int?
    /// The maximum number of submitted runs per minute.
    package var runsPerMinute: Int?

    /// Creates limits; every limit that is omitted is the server's default.
    package init(concurrency: Int? = nil, queued: Int? = nil, runsPerMinute: Int? = nil) {
        self.concurrency = concurrency
        self.queued = queued
        self.runsPerMinute = runsPerMinute
    }

    /// Returns these limits, with each `nil` replaced by the same limit of `defaults`.
    package func withDefaults(_ defaults: PrincipalLimits) -> PrincipalLimits {
        PrincipalLimits(
            concurrency: concurrency ?? defaults.concurrency,
            queued: queued ?? defaults.queued,
            runsPerMinute: runsPerMinute ?? defaults.runsPerMinute
        )
    }
}
