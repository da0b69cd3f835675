/// What this host does not give, in words for people.
public struct Gap: Sendable, Hashable {
    /// What is missing; several if they are missing for one reason.
    public let features: [HostFeature]
    /// What is so and should not be.
    public let what: String
    /// What is not enforced because of it: what a command could do.
    public let cost: String
    /// How to close it.
    public let remedy: String
}

extension Gap: CustomStringConvertible {
    /// One line.
    public var description: String {
        let names = features.map(\.rawValue).joined(separator: ", ")
        return "\(names.isEmpty ? "" : names + ": ")\(what). So: \(cost). To close the gap: \(remedy)"
    }
}
