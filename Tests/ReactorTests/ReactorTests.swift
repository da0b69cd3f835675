import Dispatch
import Glibc
import Reactor
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ReactorTests {
    @Test func `jobs from many threads run one after the other, and none is lost`() async {
        let counter = Counter()
        await withTaskGroup { group in
            for _ in 0..<16 {
                group.addTask { for _ in 0..<500 { await counter.increment() } }
            }
        }
        #expect(await counter.value == 8000)
        #expect(await counter.threads.count == 1)
    }

    @Test func `a job from a thread without tasks wakes the loop`() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                Task { @Reactor in continuation.resume() }
            }
        }
    }

    @Test @Reactor func `jobs of one thread run in order`() async {
        var order: [Int] = []
        await withCheckedContinuation { continuation in
            for index in 0..<100 {
                Task { @Reactor in
                    order.append(index)
                    if index == 99 { continuation.resume() }
                }
            }
        }
        #expect(order == Array(0..<100))
    }

    @Test @Reactor func `the thread has a name`() {
        #expect(ScratchFolder.contents(of: "/proc/thread-self/comm") == Array("reactor\n".utf8))
    }

    @Test @Reactor func `on its thread, isolation can be assumed`() {
        func callback() -> Int { Reactor.assumeIsolated { 42 } }
        #expect(callback() == 42)
    }

    @Test @Reactor func `what an assumed operation throws is thrown on`() {
        struct Oops: Error {}
        #expect(throws: Oops.self) { try Reactor.assumeIsolated { throw Oops() } }
    }

    @Test func `off its thread, assuming isolation stops the program`() async {
        await #expect(processExitsWith: .failure) {
            Reactor.assumeIsolated {}
        }
    }
}

@Reactor
private final class Counter {
    var value = 0
    var threads: Set<pthread_t> = []

    nonisolated init() {}

    func increment() {
        value += 1
        threads.insert(pthread_self())
    }
}
