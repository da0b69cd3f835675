public import Runs

/// Which runs are asked for.
public struct RunFilter: Sendable, Hashable {
    /// In this state.
    public var state: RunState?
    /// With this outcome (the contract's name for it).
    public var outcome: String?
    /// With this label.
    public var label: Label?
    /// Whose they are; `nil`: anybody's.
    public var principal: String?
    /// Older than this one.
    public var before: RunID?

    /// A label and its value.
    public struct Label: Sendable, Hashable {
        /// Its name.
        public let key: String
        /// What it says.
        public let value: String

        /// A label.
        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// All runs.
    public init() {}
}
