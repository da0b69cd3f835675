internal import DequeModule

/// What waits, by whom it belongs to: each has its turn, one after the other, and what belongs to one comes first in, first out.
struct FairQueue<Element> {
    private var queues: [String: Deque<Element>] = [:]
    /// Those who have something here, the next one first.
    private var turns: Deque<String> = []

    /// How many elements wait.
    private(set) var count = 0

    /// How many of one owner's wait.
    func count(of owner: String) -> Int { queues[owner]?.count ?? 0 }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element, of owner: String) {
        if queues[owner]?.append(element) == nil {
            queues[owner] = [element]
            turns.append(owner)
        }
        count += 1
    }

    /// Takes the next one, of the first owner who may have one now.
    mutating func popFirst(where mayHave: (String) -> Bool) -> Element? {
        guard let turn = turns.firstIndex(where: mayHave) else { return nil }
        let owner = turns.remove(at: turn)
        guard let element = queues[owner]?.popFirst() else { return nil }
        if queues[owner]?.isEmpty ?? true { queues[owner] = nil } else { turns.append(owner) }
        count -= 1
        return element
    }

    /// Takes one out of its place.
    mutating func remove(of owner: String, where isIt: (Element) -> Bool) -> Element? {
        guard let place = queues[owner]?.firstIndex(where: isIt), let element = queues[owner]?.remove(at: place) else {
            return nil
        }
        if queues[owner]?.isEmpty ?? true {
            queues[owner] = nil
            turns.removeAll { $0 == owner }
        }
        count -= 1
        return element
    }

    /// All of them, in no order that means anything, and none is left.
    mutating func removeAll() -> [Element] {
        defer { self = FairQueue() }
        return turns.flatMap { queues[$0] ?? [] }
    }
}
