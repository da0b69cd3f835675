import Foundation
import Glibc
import System
import Testing

@Suite struct NamedThreadTests {
    @Test func `a thread runs its body under its name, blocks signals, and can be joined`() throws {
        let seen = Lock<(name: String, blocked: String, thread: pthread_t)?>(nil)
        let thread = NamedThread("test-thread") {
            let status = (try? String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)) ?? ""
            let lines = status.split(separator: "\n").map(String.init)
            let name = lines.first { $0.hasPrefix("Name:") } ?? ""
            let blocked = lines.first { $0.hasPrefix("SigBlk:") } ?? ""
            let own = pthread_self()
            seen.withLock { $0 = (name, blocked, own) }
        }
        thread.join()
        let what = try #require(seen.withLock { $0 })
        #expect(what.name == "Name:\ttest-thread")
        // SIGINT, SIGTERM, SIGHUP and SIGPIPE: bits 2, 15, 1 and 13.
        let mask = try #require(UInt64(what.blocked.split(separator: "\t").last ?? "", radix: 16))
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { #expect(mask & 1 << UInt64(signal - 1) != 0) }
        #expect(what.thread != pthread_self())
    }

    @Test func `a thread releases its body at its end`() {
        final class Thing: Sendable {}
        weak var seen: Thing?
        do {
            let thing = Thing()
            seen = thing
            NamedThread("test-thread") { _ = thing }.join()
        }
        #expect(seen == nil)
    }
}
