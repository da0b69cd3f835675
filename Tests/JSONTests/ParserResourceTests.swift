import Glibc
import JSON
import Testing

/// Sizes at which a quadratic algorithm would take hours, so that a regression is noticed.
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
        #expect(found.last?.detail == "further duplicate members: \(5000 - (found.count - 1))")
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

    @Test func `ten million opening brackets are refused at the nesting limit`() {
        #expect(faults([UInt8](repeating: UInt8(ascii: "["), count: 10_000_000)).count == 1)
    }
}

@Suite struct StackTests {
    @Test func `the deepest accepted text fits on a stack of 512 KiB`() throws {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        try #require(pthread_attr_setstacksize(&attributes, 512 * 1024) == 0)
        var thread = pthread_t()
        let started = pthread_create(&thread, &attributes, { _ in deepestTextSurvives() }, nil)
        try #require(started == 0)
        var result: UnsafeMutableRawPointer?
        pthread_join(thread, &result)
        #expect(result != nil)
    }
}

/// Parses, compares, writes and releases the deepest text; returns `nil` if one of the results is wrong.
private func deepestTextSurvives() -> UnsafeMutableRawPointer? {
    let levels = JSONParser.maximumDepth / 2
    let text = String(repeating: #"[{"a":"#, count: levels) + "1" + String(repeating: "}]", count: levels)
    guard let value = try? parse(text), let again = try? parse(text), value == again else { return nil }
    guard written({ $0.value(value) }) == text else { return nil }
    return UnsafeMutableRawPointer(bitPattern: 1)
}
