/// What a principal may do.
public enum Role: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Create runs, and cancel and forget its own.
    case run
    /// Read its own runs.
    case read
    /// All of that with everybody's runs, and read what tells of all (`GET /metrics`).
    case admin

    /// In the order in which they are written.
    public static func < (left: Role, right: Role) -> Bool { left.order < right.order }

    private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
