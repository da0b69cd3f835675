import Reactor
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) @Reactor struct TimerTests {
    @Test func `timers fire in the order of their times`() async {
        var generator = SeededGenerator(seed: 1)
        let start = MonotonicTime.now
        var fired: [Int] = []
        await withCheckedContinuation { continuation in
            for index in (0..<50).shuffled(using: &generator) {
                _ = Reactor.schedule(at: start.advanced(by: .microseconds(200 * index))) {
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

    @Test func `a time that is past has come`() async {
        await wait(until: MonotonicTime(nanoseconds: 0))
    }

    @Test func `a cancelled timer does not fire`() async {
        let time = MonotonicTime.now.advanced(by: .milliseconds(1))
        var fired = false
        let timer = Reactor.schedule(at: time) { fired = true }
        timer.cancel()
        timer.cancel()
        await wait(until: time.advanced(by: .milliseconds(1)))
        #expect(!fired)
    }

    @Test func `a timer can cancel another that is due too`() async {
        let time = MonotonicTime.now
        var fired: [String] = []
        var second: Timer?
        _ = Reactor.schedule(at: time) {
            fired.append("first")
            second?.cancel()
        }
        second = Reactor.schedule(at: time.advanced(by: .nanoseconds(1))) { fired.append("second") }
        await wait(until: time.advanced(by: .nanoseconds(2)))
        #expect(fired == ["first"])
    }

    @Test func `a timer that has fired can be cancelled`() async {
        var timer: Timer?
        let time = MonotonicTime.now
        timer = Reactor.schedule(at: time) { timer?.cancel() }
        await wait(until: time.advanced(by: .nanoseconds(1)))
        timer?.cancel()
        await wait(until: .now)
    }

    @Test func `a nearer time is not kept waiting by a farther one`() async {
        let far = Reactor.schedule(at: .now.advanced(by: .seconds(3600))) {}
        await wait(until: .now.advanced(by: .milliseconds(1)))
        far.cancel()
    }

    @Test func `a timer can be scheduled by a timer`() async {
        await withCheckedContinuation { continuation in
            _ = Reactor.schedule(at: .now) {
                _ = Reactor.schedule(at: .now) { continuation.resume() }
            }
        }
    }

    @Test func `the last time that can be named can be waited for`() {
        Reactor.schedule(at: MonotonicTime(nanoseconds: .max)) {}.cancel()
    }

    @Test func `thousands of cancelled timers leave the others alone`() async {
        let time = MonotonicTime.now.advanced(by: .milliseconds(5))
        var fired: [Int] = []
        let timers = (0..<6000).map { index in
            Reactor.schedule(at: time.advanced(by: .nanoseconds(index))) { fired.append(index) }
        }
        for (index, timer) in timers.enumerated() where index % 1000 != 0 { timer.cancel() }
        await wait(until: time.advanced(by: .nanoseconds(6000)))
        #expect(fired == [0, 1000, 2000, 3000, 4000, 5000])
    }

    private func wait(until time: MonotonicTime) async {
        await withCheckedContinuation { continuation in
            _ = Reactor.schedule(at: time) { continuation.resume() }
        }
    }
}
