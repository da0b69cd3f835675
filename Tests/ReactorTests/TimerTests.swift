import Reactor
import System
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) @ReactorActor struct TimerTests {
    @Test func `timers fire in the order of their times`() async {
        var generator = SeededGenerator(seed: 1)
        let start = MonotonicTime.now
        var fired: [Int] = []
        await withCheckedContinuation { continuation in
            for index in (0..<50).shuffled(using: &generator) {
                _ = ReactorActor.schedule(at: start.advanced(by: .microseconds(200 * index))) {
                    fired.append(index)
                    if index == 49 { continuation.resume() }
                }
            }
        }
        #expect(fired == Array(0..<50))
    }

    @Test func `a timer never fires early`() async {
        let time = MonotonicTime.now.advanced(by: .milliseconds(3))
        await wait(until: time)
        #expect(MonotonicTime.now >= time)
    }

    @Test func `a timer in the past fires at once`() async {
        await wait(until: MonotonicTime(nanoseconds: 0))
    }

    @Test func `a cancelled timer does not fire`() async {
        let time = MonotonicTime.now.advanced(by: .milliseconds(1))
        var fired = false
        let timer = ReactorActor.schedule(at: time) { fired = true }
        timer.cancel()
        timer.cancel()
        await wait(until: time.advanced(by: .milliseconds(1)))
        #expect(!fired)
    }

    @Test func `a timer can cancel another that is due too`() async {
        let time = MonotonicTime.now
        var fired: [String] = []
        var second: Timer?
        _ = ReactorActor.schedule(at: time) {
            fired.append("first")
            second?.cancel()
        }
        second = ReactorActor.schedule(at: time.advanced(by: .nanoseconds(1))) { fired.append("second") }
        await wait(until: time.advanced(by: .nanoseconds(2)))
        #expect(fired == ["first"])
    }

    @Test func `a timer that has fired can be cancelled`() async {
        var timer: Timer?
        let time = MonotonicTime.now
        timer = ReactorActor.schedule(at: time) { timer?.cancel() }
        await wait(until: time.advanced(by: .nanoseconds(1)))
        timer?.cancel()
        await wait(until: .now)
    }

    @Test func `a later timer does not delay an earlier one`() async {
        let far = ReactorActor.schedule(at: .now.advanced(by: .seconds(3600))) {}
        await wait(until: .now.advanced(by: .milliseconds(1)))
        far.cancel()
    }

    @Test func `a timer can be scheduled by a timer`() async {
        await withCheckedContinuation { continuation in
            _ = ReactorActor.schedule(at: .now) {
                _ = ReactorActor.schedule(at: .now) { continuation.resume() }
            }
        }
    }

    @Test func `the last representable time can be scheduled`() {
        ReactorActor.schedule(at: MonotonicTime(nanoseconds: .max)) {}.cancel()
    }

    @Test func `thousands of cancelled timers do not affect the others`() async {
        let time = MonotonicTime.now.advanced(by: .milliseconds(5))
        var fired: [Int] = []
        let timers = (0..<6000).map { index in
            ReactorActor.schedule(at: time.advanced(by: .nanoseconds(index))) { fired.append(index) }
        }
        for (index, timer) in timers.enumerated() where index % 1000 != 0 { timer.cancel() }
        await wait(until: time.advanced(by: .nanoseconds(6000)))
        #expect(fired == [0, 1000, 2000, 3000, 4000, 5000])
    }

    private func wait(until time: MonotonicTime) async {
        await withCheckedContinuation { continuation in
            _ = ReactorActor.schedule(at: time) { continuation.resume() }
        }
    }
}
