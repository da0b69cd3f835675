/// Why settings cannot be used: what is wrong, where it stands, and what it has to be.
public struct SettingError: Error, Hashable, CustomStringConvertible {
    /// For people, in one or more sentences.
    public let description: String

    /// An error with this description.
    public init(_ description: String) {
        self.description = description
    }
}
