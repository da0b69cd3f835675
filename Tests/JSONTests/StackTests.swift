import Glibc
import JSON
import Testing

@Suite struct StackTests {
    @Test func `the deepest text is handled on a stack of 512 KiB`() throws {
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

/// Parses, compares, writes and releases; answers nil if the text did not survive that.
private func deepestTextSurvives() -> UnsafeMutableRawPointer? {
    let levels = JSONParser.maximumDepth / 2
    let text = String(repeating: #"[{"a":"#, count: levels) + "1" + String(repeating: "}]", count: levels)
    guard let value = try? parse(text), let again = try? parse(text), value == again else { return nil }
    guard written({ $0.value(value) }) == text else { return nil }
    return UnsafeMutableRawPointer(bitPattern: 1)
}
