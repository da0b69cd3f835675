import JSON
import Testing

/// Sizes at which anything quadratic would take hours, so that a regression cannot go unnoticed.
@Suite struct LinearTimeTests {
    @Test func `an object of many members is parsed in linear time`() throws {
        let count = 300_000
        let text = "{" + (0..<count).map { "\"n\($0)\":0" }.joined(separator: ",") + "}"
        guard case .object(let object) = try parse(text) else { return #expect(Bool(false)) }
        #expect(object.members.count == count)
    }

    @Test func `all of many duplicates are reported`() {
        let count = 50_000
        let text = "{" + (0...count).map { _ in "\"n\":0" }.joined(separator: ",") + "}"
        #expect(faults(text).count == count)
    }

    @Test func `pointers of many duplicates under a long name do not multiply its length`() {
        let name = String(repeating: "n", count: 50_000)
        let duplicates = (0...5000).map { _ in "\"n\":0" }.joined(separator: ",")
        let text = "{\"\(name)\":{\(duplicates)}}"
        let found = faults(text)
        let total = found.map(\.pointer.description.utf8.count).reduce(0, +)
        #expect(total < 2 * text.utf8.count + 65_536)
        #expect(found.last?.detail == "\(5000 - (found.count - 1)) more members are duplicates")
    }

    @Test func `a number of many digits is read in linear time`() throws {
        let digits = String(repeating: "9", count: 2_000_000)
        let integer = try #require(JSONNumber(literal: digits))
        #expect(integer.integer == nil)
        #expect(integer.double == nil)
        let fraction = try #require(JSONNumber(literal: "0." + digits + "e" + digits))
        #expect(fraction.integer == nil)
        #expect(fraction.double == nil)
    }

    @Test func `brackets that only open are refused at the limit`() {
        #expect(faults([UInt8](repeating: UInt8(ascii: "["), count: 10_000_000)).count == 1)
    }
}
