import Reactor
import RunModel
import System
import Testing

@testable import Service

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct SubscriptionsTests {
    @Test func `all waiters get the end of the run`() async throws {
        try await withService { fixture in
            let run = try fixture.submit(.script("exit 2"))
            var outcomes: [Outcome?] = []
            for _ in 0..<5 {
                _ = fixture.service.wait(for: run.id, atMost: .seconds(100)) { outcomes.append($0?.result?.outcome) }
            }
            _ = await fixture.end(of: run.id)
            #expect(outcomes == [Outcome?](repeating: .exited(code: 2), count: 5))
        }
    }

    @Test func `a finished run has no waiters`() async throws {
        try await withService { fixture in
            let run = try fixture.submit(.script("exit 0"))
            _ = await fixture.end(of: run.id)
            let waiter = fixture.service.wait(for: run.id, atMost: .seconds(100)) { _ in
                Issue.record("the completion was called")
            }
            #expect(waiter == nil)
        }
    }

    @Test func `a wait that times out completes once, without a run`() async throws {
        try await withService { fixture in
            let run = try fixture.submit(.script("exec sleep 1000"))
            var calls = 0
            let begin = MonotonicTime.now
            let result: Run? = await withCheckedContinuation { continuation in
                _ = fixture.service.wait(for: run.id, atMost: .milliseconds(20)) { run in
                    calls += 1
                    continuation.resume(returning: run)
                }
            }
            #expect(result == nil)
            #expect(MonotonicTime.now.since(begin) >= .milliseconds(20))
            await fixture.stop()
            #expect(calls == 1)
            #expect(fixture.service.run(run.id)?.state == .finished)
        }
    }

    @Test func `a cancelled waiter is not completed`() async throws {
        try await withService { fixture in
            let run = try fixture.submit(.script("exec sleep 1000"))
            let waiter = fixture.service.wait(for: run.id, atMost: .milliseconds(20)) { _ in
                Issue.record("the completion was called")
            }
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

    @Test func `a completion may wait again`() async throws {
        try await withService { fixture in
            let run = try fixture.submit(.script("exit 0"))
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
