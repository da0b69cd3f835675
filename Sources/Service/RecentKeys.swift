internal import DequeModule
internal import Runs
internal import Store

/// The keys that were used last, so that what is sent twice within seconds does not wait for the disk.
struct RecentKeys {
    struct Name: Hashable {
        let principal: String
        let text: String
    }

    /// The others are in the database.
    private static let kept = 10_000

    private var uses: [Name: KeyUse] = [:]
    private var order: Deque<Name> = []

    /// What a key stands for.
    subscript(name: Name) -> KeyUse? { uses[name] }

    mutating func insert(_ use: KeyUse, of name: Name) {
        if uses.updateValue(use, forKey: name) == nil { order.append(name) }
        while order.count > Self.kept, let oldest = order.popFirst() { uses[oldest] = nil }
    }

    /// A run that has never been was no answer to anybody.
    mutating func remove(of run: RunID) {
        guard uses.contains(where: { $0.value.run == run }) else { return }
        uses = uses.filter { $0.value.run != run }
        order.removeAll { uses[$0] == nil }
    }
}
