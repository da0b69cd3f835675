/// Why something of the host cannot be shown to commands.
public struct ViewError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was to be shown.
    public let path: String
    /// Why it cannot be.
    public let reason: String

    /// One line for whoever starts the service.
    public var description: String { "\(path) cannot be shown to commands: \(reason)." }
}
