import Reactor
import System
import Testing

@Suite struct MonotonicTimeTests {
    @Test func `the clock does not go back`() {
        let times = (0..<1000).map { _ in MonotonicTime.now }
        #expect(times == times.sorted())
    }

    @Test(
        arguments: [
            (.zero, 0),
            (.nanoseconds(1), 1),
            (.seconds(2) + .milliseconds(500), 2_500_000_000),
            (Duration(secondsComponent: 0, attosecondsComponent: 1), 1),
            (Duration(secondsComponent: 0, attosecondsComponent: 1_000_000_001), 2),
            (Duration(secondsComponent: 0, attosecondsComponent: 999_999_999_999_999_999), 1_000_000_000),
            (.nanoseconds(-1), 0),
            (.seconds(-5), 0),
            (Duration(secondsComponent: 0, attosecondsComponent: -1), 0),
            (.seconds(Int64.max), .max),
            (.seconds(Int64.min), 0),
            (.seconds(18_446_744_073), 18_446_744_073_000_000_000),
            (.seconds(18_446_744_074), .max),
        ] as [(Duration, UInt64)]
    )
    func `a duration in nanoseconds is never too short`(duration: Duration, nanoseconds: UInt64) {
        #expect(duration.wholeNanoseconds == nanoseconds)
    }

    @Test func `the last second before the overflow does not wrap`() {
        #expect((Duration.seconds(18_446_744_073) + .milliseconds(900)).wholeNanoseconds == .max)
    }

    @Test func `a time beyond the last representable one is the last one`() {
        let late = MonotonicTime(nanoseconds: .max - 5)
        #expect(late.advanced(by: .nanoseconds(5)).nanoseconds == .max)
        #expect(late.advanced(by: .nanoseconds(6)).nanoseconds == .max)
        #expect(MonotonicTime.now.advanced(by: .seconds(Int64.max)).nanoseconds == .max)
    }

    @Test func `a negative duration does not go back`() {
        #expect(MonotonicTime(nanoseconds: 7).advanced(by: .seconds(-1)).nanoseconds == 7)
    }

    @Test func `the time since a later point is zero`() {
        let (early, late) = (MonotonicTime(nanoseconds: 5), MonotonicTime(nanoseconds: 12))
        #expect(late.since(early) == .nanoseconds(7))
        #expect(early.since(late) == .zero)
        #expect(early.since(early) == .zero)
    }

    @Test func `the time between the extremes is the longest duration`() {
        let all = MonotonicTime(nanoseconds: .max).since(MonotonicTime(nanoseconds: 0))
        #expect(all == .nanoseconds(Int64.max))
    }
}
