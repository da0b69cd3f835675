import Testing

@testable import Service

struct FairQueueTests {
    private func queue(_ elements: [(String, Int)]) -> FairQueue<Int> {
        var queue = FairQueue<Int>()
        for (owner, element) in elements { queue.append(element, of: owner) }
        return queue
    }

    private func all(_ queue: FairQueue<Int>) -> [Int] {
        var queue = queue
        return Array(sequence(state: ()) { _ in queue.popFirst { _ in true } })
    }

    @Test func `the elements of one owner are first in, first out`() {
        #expect(all(queue([("a", 1), ("a", 2), ("a", 3)])) == [1, 2, 3])
    }

    @Test func `owners take turns, however many elements one of them has`() {
        #expect(all(queue([("a", 1), ("a", 2), ("a", 3), ("b", 10), ("c", 20), ("b", 11)])) == [1, 10, 20, 2, 11, 3])
    }

    @Test func `an owner that is not eligible does not delay the others`() {
        var queue = queue([("a", 1), ("b", 10), ("a", 2)])
        #expect(queue.popFirst { $0 != "a" } == 10)
        #expect(queue.popFirst { $0 != "a" } == nil)
        #expect(queue.count == 2)
        #expect(all(queue) == [1, 2])
    }

    @Test func `an element can be removed from any position`() {
        var queue = queue([("a", 1), ("a", 2), ("b", 10)])
        #expect(queue.remove(of: "a") { $0 == 2 } == 2)
        #expect(queue.remove(of: "a") { $0 == 2 } == nil)
        #expect(queue.remove(of: "b") { $0 == 10 } == 10)
        #expect(queue.remove(of: "c") { _ in true } == nil)
        #expect(queue.count == 1 && all(queue) == [1])
    }

    @Test func `all elements can be removed at once`() {
        var queue = queue([("a", 1), ("b", 10)])
        #expect(queue.removeAll().sorted() == [1, 10])
        #expect(queue.isEmpty)
    }
}
