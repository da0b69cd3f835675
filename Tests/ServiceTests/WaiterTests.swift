import Reactor
import Runs
import Testing

@testable import Service

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct WaiterTests {
    @Test func `everybody who waits is told of the end`() async throws {
        try await withService { fixture in
            let run = try fixture.service.submit(.script("exit 2"))
            var told: [Outcome?] = []
            for _ in 0..<5 {
                _ = fixture.service.wait(for: run.id, atMost: .seconds(100)) { told.append($0?.result?.outcome) }
            }
            _ = await fixture.end(of: run.id)
            #expect(told == [Outcome?](repeating: .exited(code: 2), count: 5))
        }
    }

    @Test func `for a finished run there is nothing to wait for`() async throws {
        try await withService { fixture in
            let run = try fixture.service.submit(.script("exit 0"))
            _ = await fixture.end(of: run.id)
            let waiter = fixture.service.wait(for: run.id, atMost: .seconds(100)) { _ in Issue.record("told") }
            #expect(waiter == nil)
        }
    }

    @Test func `a wait that is over is told of nothing, and once`() async throws {
        try await withService { fixture in
            let run = try fixture.service.submit(.script("exec sleep 1000"))
            var calls = 0
            let begin = MonotonicTime.now
            let told: Run? = await withCheckedContinuation { continuation in
                _ = fixture.service.wait(for: run.id, atMost: .milliseconds(20)) { told in
                    calls += 1
                    continuation.resume(returning: told)
                }
            }
            #expect(told == nil)
            #expect(MonotonicTime.now.since(begin) >= .milliseconds(20))
            await fixture.stop()
            #expect(calls == 1)
            #expect(fixture.service.run(run.id)?.state == .finished)
        }
    }

    @Test func `who does not wait any more is not told`() async throws {
        try await withService { fixture in
            let run = try fixture.service.submit(.script("exec sleep 1000"))
            let waiter = fixture.service.wait(for: run.id, atMost: .milliseconds(20)) { _ in Issue.record("told") }
            #expect(waiter?.isWaiting == true)
            waiter?.cancel()
            waiter?.cancel()
            #expect(waiter?.isWaiting == false)
            _ = await withCheckedContinuation { continuation in
                _ = fixture.service.wait(for: run.id, atMost: .milliseconds(30)) { continuation.resume(returning: $0) }
            }
            await fixture.stop()
        }
    }

    @Test func `one who waits may wait again when told`() async throws {
        try await withService { fixture in
            let run = try fixture.service.submit(.script("exit 0"))
            var again: Waiter?
            await withCheckedContinuation { continuation in
                _ = fixture.service.wait(for: run.id, atMost: .seconds(100)) { _ in
                    again = fixture.service.wait(for: run.id, atMost: .seconds(100)) { _ in }
                    continuation.resume()
                }
            }
            #expect(again == nil)
        }
    }
}
