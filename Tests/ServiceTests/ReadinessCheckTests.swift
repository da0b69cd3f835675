import Glibc
import Reactor
import Sandbox
import TestSupport
import Testing

@testable import Service
@testable import Store

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct ReadinessCheckTests {
    @ReactorActor
    private func faults(_ check: ReadinessCheck) async -> [ReadinessFault] {
        await withCheckedContinuation { continuation in check.check { continuation.resume(returning: $0) } }
    }

    @Test func `a thousand concurrent checks share one test, which leaves nothing behind`() async throws {
        try await withLauncher { launcher in
            let store = try RunStore(DataDirectory(temporaryIn: "/tmp"))
            defer { store.close() }
            store.start()
            let check = ReadinessCheck(launcher: launcher, store: store)
            var results: [[ReadinessFault]] = []
            for _ in 0..<1000 { check.check { results.append($0) } }
            #expect(launcher.liveSlots == 1)
            #expect(await faults(check) == [])
            #expect(results == Array(repeating: [], count: 1000))
            // The last result is reused without a test, so the completion is called immediately.
            var later: [ReadinessFault]?
            check.check { later = $0 }
            #expect(later == [])
            while launcher.liveSlots > 0 { await Task.yield() }
        }
    }

    @Test func `a store that does not respond and a launcher that has ended are reported`() async throws {
        try await withLauncher { launcher in
            // The store's thread is not started.
            let store = try RunStore(DataDirectory(temporaryIn: "/tmp"))
            defer { store.close() }
            let check = ReadinessCheck(launcher: launcher, store: store)
            #expect(await faults(check) == [.storeIsSilent])
            launcher.stop()
            let faults = await faults(check)
            #expect(faults.count == 2)
            #expect(faults.contains(.launcher(SetupFailure(step: .launcher, number: EPIPE))))
        }
    }
}
