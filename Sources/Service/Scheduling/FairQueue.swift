internal import DequeModule

/// A queue that serves its owners in turn, and the elements of each owner first in, first out.
struct FairQueue<Element> {
    private var queues: [String: Deque<Element>] = [:]
    /// The owners of queued elements, in the order of their turns.
    private var turns: Deque<String> = []

    /// The number of queued elements.
    private(set) var count = 0

    /// Returns the number of queued elements of one owner.
    func count(of owner: String) -> Int { queues[owner]?.count ?? 0 }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ element: Element, of owner: String) {
        if queues[owner]?.append(element) == nil {
            queues[owner] = [element]
            turns.append(owner)
        }
        count += 1
    }

    /// Removes and returns the next element of the first owner that satisfies the predicate.
    mutating func popFirst(where isEligible: (String) -> Bool) -> Element? {
        guard let turn = turns.firstIndex(where: isEligible) else { return nil }
        let owner = turns.remove(at: turn)
        guard let element = queues[owner]?.popFirst() else { return nil }
        if queues[owner]?.isEmpty ?? true { queues[owner] = nil } else { turns.append(owner) }
        count -= 1
        return element
    }

    /// Removes and returns the first element of an owner that satisfies the predicate, at any position.
    mutating func remove(of owner: String, where isMatch: (Element) -> Bool) -> Element? {
        guard let index = queues[owner]?.firstIndex(where: isMatch), let element = queues[owner]?.remove(at: index)
        else {
            return nil
        }
        if queues[owner]?.isEmpty ?? true {
            queues[owner] = nil
            turns.removeAll { $0 == owner }
        }
        count -= 1
        return element
    }

    /// Removes and returns all elements in an unspecified order.
    mutating func removeAll() -> [Element] {
        defer { self = FairQueue() }
        return turns.flatMap { queues[$0] ?? [] }
    }
}
