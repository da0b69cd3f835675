import Digests
import Runs
import Store
import Testing

@testable import Service

struct RecentKeysTests {
    private func name(_ text: String) -> RecentKeys.Name { RecentKeys.Name(principal: "", text: text) }

    private func use(_ text: String, _ run: RunID) -> KeyUse {
        KeyUse(IdempotencyKey(text, body: SHA256Digest(of: [])), for: run, since: .now)
    }

    @Test func `the last ten thousand are at hand`() {
        var (keys, ids) = (RecentKeys(), RunIDGenerator())
        for number in 0..<10_001 { keys.insert(use("\(number)", ids.next(now: .now)), of: name("\(number)")) }
        #expect(keys[name("0")] == nil)
        #expect(keys[name("1")] != nil && keys[name("10000")] != nil)
    }

    @Test func `all keys of a run that has never been are free, and no others`() {
        var (keys, ids) = (RecentKeys(), RunIDGenerator())
        let (refused, other) = (ids.next(now: .now), ids.next(now: .now))
        for (text, run) in [("a", refused), ("b", other), ("c", refused)] {
            keys.insert(use(text, run), of: name(text))
        }
        keys.remove(of: refused)
        #expect(keys[name("a")] == nil && keys[name("c")] == nil && keys[name("b")]?.run == other)
    }
}
