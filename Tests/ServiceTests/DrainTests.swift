import Reactor
import RunModel
import Service
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct DrainTests {
    @Test func `stopping cancels queued and running runs and then completes`() async throws {
        try await withService(concurrency: 2) { fixture in
            let runs = try (0..<5).map { _ in try fixture.submit(.script("exec sleep 1000")) }
            await fixture.stop()
            let killed = Outcome.cancelled(.signal(Signal(number: 9, name: "SIGKILL")))
            let outcomes = runs.map { fixture.service.run($0.id)?.result?.outcome }
            #expect(outcomes == [killed, killed, .cancelled(nil), .cancelled(nil), .cancelled(nil)])
            #expect(runs.suffix(3).allSatisfy { fixture.service.run($0.id)?.startedAt == nil })
        }
    }

    @Test func `all waiting clients get the finished run`() async throws {
        try await withService(concurrency: 1) { fixture in
            let runs = try (0..<3).map { _ in try fixture.submit(.script("exec sleep 1000")) }
            var results: [Run?] = []
            for run in runs { _ = fixture.service.wait(for: run.id, atMost: .seconds(100)) { results.append($0) } }
            await fixture.stop()
            #expect(results.count == 3)
            #expect(results.allSatisfy { $0?.state == .finished })
        }
    }

    @Test func `a stopping service accepts no runs`() async throws {
        try await withService { fixture in
            _ = try fixture.submit(.script("exec sleep 1000"))
            fixture.service.stop {}
            #expect(throws: SubmissionError.notAccepting) { try fixture.submit(.script("exit 0")) }
        }
    }

    @Test func `a service without runs stops immediately`() async throws {
        try await withService { fixture in
            var stopped = false
            fixture.service.stop { stopped = true }
            #expect(stopped)
        }
    }

    @Test func `stopping waits for grace periods`() async throws {
        try await withService { fixture in
            // A shell's child that has not reset its traps yet would lose the signal.
            let script = "trap 'exit 6' TERM; (trap - TERM; echo; exec sleep 1000) & wait"
            let run = try fixture.submit(.script(script, grace: .seconds(60)))
            await fixture.firstOutput(of: run.id)
            await fixture.stop()
            #expect(fixture.service.run(run.id)?.result?.outcome == .cancelled(.exitCode(6)))
        }
    }

    @Test func `a second stop completes too`() async throws {
        try await withService { fixture in
            _ = try fixture.submit(.script("exec sleep 1000"))
            var completed: [Int] = []
            fixture.service.stop { completed.append(1) }
            await withCheckedContinuation { continuation in
                fixture.service.stop {
                    completed.append(2)
                    continuation.resume()
                }
            }
            #expect(completed == [1, 2])
        }
    }
}
