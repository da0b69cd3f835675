import Reactor
import RunModel
import Sandbox
import Service
import Store
import TestSupport
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct RunServiceTests {
    @Test func `an accepted run is executed and its end is readable`() async throws {
        try await withService { fixture in
            let run = try fixture.submit(.script("echo out; echo err >&2; exit 3"))
            // The sandbox does not exist yet.
            #expect(run.state == .queued && run.startedAt == nil)
            let end = try #require(await fixture.end(of: run.id))
            #expect(end.state == .finished)
            #expect(end.result?.outcome == .exited(code: 3))
            #expect(end.standardOutput == CapturedOutput(content: .bytes(Array("out\n".utf8)), totalBytes: 4))
            #expect(end.standardError == CapturedOutput(content: .bytes(Array("err\n".utf8)), totalBytes: 4))
            #expect(end == fixture.service.run(run.id))
            let times = [end.createdAt, try #require(end.startedAt), try #require(end.result?.finishedAt)]
            #expect(times == times.sorted())
        }
    }

    @Test func `a run that was never submitted is unknown`() async throws {
        try await withService { fixture in
            var ids = RunIDGenerator()
            let id = ids.next(now: .now)
            #expect(fixture.service.run(id) == nil)
            #expect(fixture.service.wait(for: id, atMost: .seconds(1), completion: { _ in }) == nil)
        }
    }

    @Test func `runs are started in the order of their submission`() async throws {
        try await withService(concurrency: 1) { fixture in
            var order: [RunID] = []
            let runs = try (0..<6).map { _ in try fixture.submit(.script("exit 0")) }
            #expect(runs.allSatisfy { $0.state == .queued })
            #expect(runs.map(\.id) == runs.map(\.id).sorted())
            for run in runs {
                _ = fixture.service.wait(for: run.id, atMost: .seconds(100)) { _ in order.append(run.id) }
            }
            for run in runs { _ = await fixture.end(of: run.id) }
            #expect(order == runs.map(\.id))
        }
    }

    @Test func `the concurrency limit is kept, and fully used while runs are queued`() async throws {
        try await withService(concurrency: 3) { fixture in
            let runs = try (0..<9).map { _ in try fixture.submit(.script("echo; exec sleep 1000")) }
            @ReactorActor func states() -> [RunState] { runs.compactMap { fixture.service.run($0.id)?.state } }
            var running: [Int] = []
            for run in runs {
                _ = fixture.service.wait(for: run.id, atMost: .seconds(100)) { _ in
                    running.append(states().filter { $0 == .running }.count)
                }
            }
            for run in runs.prefix(2) { await fixture.firstOutput(of: run.id) }
            for (index, run) in runs.enumerated() {
                await fixture.firstOutput(of: runs[min(index + 2, 8)].id)
                #expect(states().filter { $0 == .running }.count == min(3, 9 - index))
                _ = try await fixture.service.cancel(run.id)
                #expect(await fixture.end(of: run.id)?.result?.outcome.name == "cancelled")
            }
            // The completion is called between the end of one run and the start of the next one.
            #expect(running.allSatisfy { $0 <= 2 })
            #expect(running.count == 9)
        }
    }

    @Test func `a run beyond the queue limit is rejected until another run leaves the queue`() async throws {
        try await withService(concurrency: 1, queueLimit: 2) { fixture in
            let running = try fixture.submit(.script("exec sleep 1000", timeout: .milliseconds(100)))
            for _ in 0..<2 { _ = try fixture.submit(.script("exec sleep 1000")) }
            #expect(throws: SubmissionError.queueFull(waiting: 2)) { try fixture.submit(.script("exit 0")) }
            _ = await fixture.end(of: running.id)
            #expect(try fixture.submit(.script("exit 0")).state == .queued)
        }
    }

    @Test func `a service without a queue accepts a run that it can start immediately`() async throws {
        try await withService(concurrency: 1, queueLimit: 0) { fixture in
            _ = try fixture.submit(.script("exit 0"))
        }
    }

    @Test func `the output of a running run is readable`() async throws {
        try await withService { fixture in
            let run = try fixture.submit(.script("echo early; exec sleep 1000"))
            await fixture.firstOutput(of: run.id)
            let now = try #require(fixture.service.run(run.id))
            #expect(now.state == .running)
            #expect(now.standardOutput.content == .bytes(Array("early\n".utf8)))
        }
    }

    @Test func `large output is stored in a file`() async throws {
        try await withService { fixture in
            let run = try fixture.submit(.script("head -c 100000 /dev/zero"))
            let end = try #require(await fixture.end(of: run.id))
            guard case .file(let path, 100_000) = end.standardOutput.content else {
                Issue.record("not in a file")
                return
            }
            #expect(ScratchDirectory.contents(of: path) == [UInt8](repeating: 0, count: 100_000))
        }
    }

    @Test func `a run's input is not stored with the run`() async throws {
        try await withService { fixture in
            let specification = RunSpecification(command: ["cat"], standardInput: .bytes(Array("secret".utf8)))
            let run = try fixture.submit(specification)
            let end = try #require(await fixture.end(of: run.id))
            #expect(end.standardOutput.content == .bytes(Array("secret".utf8)))
            #expect(end.specification.standardInput == [])
        }
    }

    @Test func `a command that cannot be started is a finished run`() async throws {
        try await withService(concurrency: 1) { fixture in
            let run = try fixture.submit(RunSpecification(command: ["/no/such/program"]))
            let next = try fixture.submit(.script("exit 0"))
            let end = try #require(await fixture.end(of: run.id))
            #expect(end.result?.outcome.name == "start_failed")
            #expect(end.startedAt == nil)
            #expect(end.result?.usage == nil)
            #expect(await fixture.end(of: next.id)?.result?.outcome == .exited(code: 0))
        }
    }

    @Test func `a service without its launcher accepts no runs, and its running runs fail`() async throws {
        try await withService { fixture in
            let run = try fixture.submit(.script("exec sleep 1000"))
            fixture.launcher.stop()
            #expect(fixture.service.run(run.id)?.result?.outcome.name == "internal_error")
            #expect(throws: SubmissionError.notAccepting) { try fixture.submit(.script("exit 0")) }
        }
    }

    @Test func `deleted old runs are unknown`() async throws {
        try await withService(concurrency: 1, retention: Retention(runs: 2)) { fixture in
            let runs = try (0..<4).map { _ in try fixture.submit(.script("exit 0")) }
            _ = await fixture.end(of: runs[3].id)
            var known: [Bool] = []
            // The store deletes the oldest runs after it has written the last one.
            repeat {
                // A run in memory is found without suspension, so the reactor must get a turn to process deletions.
                await Task.yield()
                known = []
                for run in runs { known.append(try await fixture.service.find(run.id) != nil) }
            } while known.first == true || known[1]
            #expect(known == [false, false, true, true])
        }
    }
}
