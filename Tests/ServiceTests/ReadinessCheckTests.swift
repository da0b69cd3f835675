import Glibc
import Reactor
import Sandbox
import TestSupport
import Testing

@testable import Service
@testable import Store

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct ReadinessCheckTests {
    @Reactor
    private func verdict(_ check: ReadinessCheck) async -> [ReadinessFault] {
        await withCheckedContinuation { continuation in check.check { continuation.resume(returning: $0) } }
    }

    @Test func `a thousand who ask at once share one try, and it leaves nothing`() async throws {
        try await withLauncher { launcher in
            let store = try RunStore(DataDirectory(temporaryIn: "/tmp"))
            defer { store.close() }
            store.start()
            let check = ReadinessCheck(launcher: launcher, store: store)
            var verdicts: [[ReadinessFault]] = []
            for _ in 0..<1000 { check.check { verdicts.append($0) } }
            #expect(launcher.livingSlots == 1)
            #expect(await verdict(check) == [])
            #expect(verdicts == Array(repeating: [], count: 1000))
            // What was found out lasts for a while: nothing is tried, so there is an answer at once.
            var later: [ReadinessFault]?
            check.check { later = $0 }
            #expect(later == [])
            while launcher.livingSlots > 0 { await Task.yield() }
        }
    }

    @Test func `a store that does not answer is told of, and so is a launcher that has ended`() async throws {
        try await withLauncher { launcher in
            // Its thread is not started.
            let store = try RunStore(DataDirectory(temporaryIn: "/tmp"))
            defer { store.close() }
            let check = ReadinessCheck(launcher: launcher, store: store)
            #expect(await verdict(check) == [.storeIsSilent])
            launcher.stop()
            let faults = await verdict(check)
            #expect(faults.count == 2)
            #expect(faults.contains(.launcher(SetupFailure(step: .launcher, number: EPIPE))))
        }
    }
}
