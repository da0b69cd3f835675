import RunModel
import Store
import System
import Testing

@testable import Service

struct IdempotencyCacheTests {
    private func name(_ text: String) -> IdempotencyCache.Name { IdempotencyCache.Name(principal: "", text: text) }

    private func record(_ text: String, _ run: RunID) -> IdempotencyRecord {
        IdempotencyRecord(IdempotencyKey(text, body: SHA256Digest(of: [])), for: run, since: .now)
    }

    @Test func `the last ten thousand keys are cached`() {
        var (keys, ids) = (IdempotencyCache(), RunIDGenerator())
        for number in 0..<10_001 { keys.insert(record("\(number)", ids.next(now: .now)), for: name("\(number)")) }
        #expect(keys[name("0")] == nil)
        #expect(keys[name("1")] != nil && keys[name("10000")] != nil)
    }

    @Test func `removing an abandoned run frees all its keys and no others`() {
        var (keys, ids) = (IdempotencyCache(), RunIDGenerator())
        let (abandoned, other) = (ids.next(now: .now), ids.next(now: .now))
        for (text, run) in [("a", abandoned), ("b", other), ("c", abandoned)] {
            keys.insert(record(text, run), for: name(text))
        }
        keys.remove(of: abandoned)
        #expect(keys[name("a")] == nil && keys[name("c")] == nil && keys[name("b")]?.run == other)
    }
}
