import Reactor
import Runs
import Service
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct StopTests {
    @Test func `stopping cancels what waits and what runs, and then says so`() async throws {
        try await withService(concurrency: 2) { fixture in
            let runs = try (0..<5).map { _ in try fixture.service.submit(.script("exec sleep 1000")) }
            await fixture.stop()
            let killed = Outcome.cancelled(.signal(Signal(number: 9, name: "SIGKILL")))
            let outcomes = runs.map { fixture.service.run($0.id)?.result?.outcome }
            #expect(outcomes == [killed, killed, .cancelled(nil), .cancelled(nil), .cancelled(nil)])
            #expect(runs.suffix(3).allSatisfy { fixture.service.run($0.id)?.startedAt == nil })
        }
    }

    @Test func `everybody who waits is answered`() async throws {
        try await withService(concurrency: 1) { fixture in
            let runs = try (0..<3).map { _ in try fixture.service.submit(.script("exec sleep 1000")) }
            var told: [Run?] = []
            for run in runs { _ = fixture.service.wait(for: run.id, atMost: .seconds(100)) { told.append($0) } }
            await fixture.stop()
            #expect(told.count == 3)
            #expect(told.allSatisfy { $0?.state == .finished })
        }
    }

    @Test func `a service that is being stopped accepts nothing`() async throws {
        try await withService { fixture in
            _ = try fixture.service.submit(.script("exec sleep 1000"))
            fixture.service.stop {}
            #expect(throws: SubmissionError.notAccepting) { try fixture.service.submit(.script("exit 0")) }
        }
    }

    @Test func `a service without runs is stopped at once`() async throws {
        try await withService { fixture in
            var stopped = false
            fixture.service.stop { stopped = true }
            #expect(stopped)
        }
    }

    @Test func `stopping waits for grace periods`() async throws {
        try await withService { fixture in
            let script = "trap 'exit 6' TERM; echo; sleep 1000 & wait"
            let run = try fixture.service.submit(.script(script, grace: .seconds(60)))
            await fixture.firstOutput(of: run.id)
            await fixture.stop()
            #expect(fixture.service.run(run.id)?.result?.outcome == .cancelled(.exitCode(6)))
        }
    }

    @Test func `who stops it a second time is told too`() async throws {
        try await withService { fixture in
            _ = try fixture.service.submit(.script("exec sleep 1000"))
            var told: [Int] = []
            fixture.service.stop { told.append(1) }
            await withCheckedContinuation { continuation in
                fixture.service.stop {
                    told.append(2)
                    continuation.resume()
                }
            }
            #expect(told == [1, 2])
        }
    }
}
