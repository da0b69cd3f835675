import Testing

@testable import Client

@Suite struct PatienceTests {
    @Test func `waits grow, and not without end`() {
        var patience = Patience()
        let waits = (0..<12).compactMap { _ in patience.failed() }
        #expect(waits.count == 12)
        #expect(waits[0] <= .milliseconds(100))
        #expect(zip(waits, waits.dropFirst(2)).allSatisfy { $0 <= $1 || $1 >= .milliseconds(2500) })
        #expect(waits.allSatisfy { $0 <= .seconds(5) })
        patience.succeeded()
        #expect(patience.failed() ?? .seconds(9) <= .milliseconds(100))
    }

    @Test func `it waits as long as it is told, unless that is too long`() {
        var patience = Patience(.seconds(10))
        #expect(patience.failed(retryAfter: 3) == .seconds(3))
        #expect(patience.failed(retryAfter: 11) == nil)
        var short = Patience(.zero)
        #expect(short.failed() == nil)
    }
}
