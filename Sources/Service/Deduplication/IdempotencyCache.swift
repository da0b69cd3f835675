internal import DequeModule
internal import RunModel
internal import Store

/// The most recently used idempotency keys, so that a request repeated within seconds does not wait for the database.
struct IdempotencyCache {
    struct Name: Hashable {
        let principal: String
        let text: String
    }

    /// The maximum number of cached keys.
    ///
    /// The database holds all keys.
    private static let capacity = 10_000

    private var records: [Name: IdempotencyRecord] = [:]
    private var order: Deque<Name> = []

    subscript(name: Name) -> IdempotencyRecord? { records[name] }

    mutating func insert(_ record: IdempotencyRecord, for name: Name) {
        if records.updateValue(record, forKey: name) == nil { order.append(name) }
        while order.count > Self.capacity, let oldest = order.popFirst() { records[oldest] = nil }
    }

    /// Removes all keys of a run that was abandoned.
    ///
    /// No client got that run as a response.
    mutating func remove(of run: RunID) {
        guard records.contains(where: { $0.value.run == run }) else { return }
        records = records.filter { $0.value.run != run }
        order.removeAll { records[$0] == nil }
    }
}
