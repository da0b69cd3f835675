import Testing

@testable import Client

@Suite struct RetryPolicyTests {
    @Test func `pauses grow up to five seconds`() {
        var policy = RetryPolicy()
        let pauses = (0..<12).compactMap { _ in policy.recordFailure() }
        #expect(pauses.count == 12)
        #expect(pauses[0] <= .milliseconds(100))
        #expect(zip(pauses, pauses.dropFirst(2)).allSatisfy { $0 <= $1 || $1 >= .milliseconds(2500) })
        #expect(pauses.allSatisfy { $0 <= .seconds(5) })
        policy.recordSuccess()
        #expect(policy.recordFailure() ?? .seconds(9) <= .milliseconds(100))
    }

    @Test func `Retry-After is respected within the timeout`() {
        var policy = RetryPolicy(timeout: .seconds(10))
        #expect(policy.recordFailure(retryAfter: 3) == .seconds(3))
        #expect(policy.recordFailure(retryAfter: 11) == nil)
        var impatient = RetryPolicy(timeout: .zero)
        #expect(impatient.recordFailure() == nil)
    }
}
