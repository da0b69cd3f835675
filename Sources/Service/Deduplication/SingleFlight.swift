internal import Reactor

/// Coalesces concurrent lookups of one key: the first caller does the work, later callers share its result.
struct SingleFlight<Key: Hashable, Value> {
    typealias Completion = @ReactorActor (Value) -> Void

    private var waiting: [Key: [Completion]] = [:]

    /// Begins a lookup, or waits for the one that is in progress.
    ///
    /// - Parameters:
    ///   - key: the key.
    ///   - completion: stored as one of the completions that ``end(_:)`` returns if a lookup is in progress.
    /// - Returns: whether the caller must do the work and then call ``end(_:)``.
    mutating func begin(_ key: Key, otherwise completion: @escaping Completion) -> Bool {
        guard waiting[key]?.append(completion) == nil else { return false }
        waiting[key] = []
        return true
    }

    /// Ends a lookup and returns the completions of the later callers, in the order of their calls.
    mutating func end(_ key: Key) -> [Completion] { waiting.removeValue(forKey: key) ?? [] }
}
