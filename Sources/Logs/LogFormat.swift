/// How a line of the log looks.
public enum LogFormat: String, Sendable, CaseIterable {
    /// For people: `2026-01-31T08:15:30.123Z info: stopping signal=15`.
    case text
    /// For programs: an object a line (RFC 8259).
    case json
}
