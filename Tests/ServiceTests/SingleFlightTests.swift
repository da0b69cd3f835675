import Reactor
import Testing

@testable import Service

@ReactorActor
struct SingleFlightTests {
    @Test func `later callers of a key share the result of the first, in their order`() {
        var flights = SingleFlight<String, Int>()
        var results: [String] = []
        #expect(flights.begin("a") { _ in results.append("first") })
        #expect(!flights.begin("a") { results.append("second \($0)") })
        #expect(!flights.begin("a") { results.append("third \($0)") })
        #expect(flights.begin("b") { _ in results.append("of b") })
        for completion in flights.end("a") { completion(7) }
        #expect(results == ["second 7", "third 7"])
    }

    @Test func `a caller after the end does the work again`() {
        var flights = SingleFlight<String, Int>()
        #expect(flights.begin("a") { _ in })
        #expect(flights.end("a").isEmpty)
        #expect(flights.begin("a") { _ in })
    }
}
