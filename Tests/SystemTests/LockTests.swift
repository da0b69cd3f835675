import Dispatch
import System
import Testing

@Suite struct LockTests {
    @Test func `threads enter a lock one after the other`() {
        let lock = Lock(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<10_000 { lock.withLock { $0 += 1 } }
        }
        #expect(lock.withLock { $0 } == 80_000)
    }
}
