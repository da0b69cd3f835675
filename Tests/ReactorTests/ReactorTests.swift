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
                Task { @ReactorActor in continuation.resume() }
            }
        }
    }

    @Test @ReactorActor func `jobs of one thread run in order`() async {
        var order: [Int] = []
        await withCheckedContinuation { continuation in
            for index in 0..<100 {
                Task { @ReactorActor in
                    order.append(index)
                    if index == 99 { continuation.resume() }
                }
            }
        }
        #expect(order == Array(0..<100))
    }

    @Test @ReactorActor func `the thread has a name`() {
        #expect(ScratchDirectory.contents(of: "/proc/thread-self/comm") == Array("reactor\n".utf8))
    }

    @Test @ReactorActor func `isolation can be assumed on the reactor's thread`() {
        func callback() -> Int { ReactorActor.assumeIsolated { 42 } }
        #expect(callback() == 42)
    }

    @Test @ReactorActor func `an error of an assumed operation is rethrown`() {
        struct Oops: Error {}
        #expect(throws: Oops.self) { try ReactorActor.assumeIsolated { throw Oops() } }
    }

    @Test func `assuming isolation on another thread stops the program`() async {
        await #expect(processExitsWith: .failure) {
            ReactorActor.assumeIsolated {}
        }
    }
}

@ReactorActor
private final class Counter {
    var value = 0
    var threads: Set<pthread_t> = []

    nonisolated init() {}

    func increment() {
        value += 1
        threads.insert(pthread_self())
    }
}
