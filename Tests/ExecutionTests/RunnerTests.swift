import Execution
import Glibc
import Reactor
import Runs
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) @Reactor struct RunnerTests {
    @Test(arguments: [0, 1, 124, 125, 126, 127, 128, 137, 255] as [Int32])
    func `an exit code is never lost`(code: Int32) async throws {
        #expect(try await run(.script("exit \(code)")).outcome == .exited(code: code))
    }

    @Test(
        arguments: [(1, "SIGHUP"), (9, "SIGKILL"), (11, "SIGSEGV"), (15, "SIGTERM"), (35, "SIG35")] as [(Int32, String)]
    )
    func `a signal that the command got from elsewhere is its own end`(number: Int32, name: String) async throws {
        let outcome = try await run(.script("kill -\(number) $$; sleep 1000")).outcome
        #expect(outcome == .signaled(Signal(number: number, name: name)))
    }

    @Test func `a command that outlasts its limit is timed out, and not before`() async throws {
        let run = try await run(.script("exec sleep 1000", timeout: .milliseconds(50)))
        #expect(run.outcome == .timedOut(.signal(.kill)))
        #expect(try #require(run.usage).wall >= .milliseconds(50))
    }

    @Test func `the smallest limit is still a limit`() async throws {
        let run = try await run(.script("exec sleep 1000", timeout: .nanoseconds(1)))
        #expect(run.outcome == .timedOut(.signal(.kill)))
    }

    @Test func `a limit that cannot be named is none`() async throws {
        #expect(try await run(.script("exit 1", timeout: .seconds(Int64.max))).outcome == .exited(code: 1))
    }

    @Test func `a command that is stopped is timed out all the same`() async throws {
        let run = try await run(.script("kill -STOP $$", timeout: .milliseconds(50)))
        #expect(run.outcome == .timedOut(.signal(.kill)))
    }

    @Test func `at the deadline too a command may choose its exit code`() async throws {
        // Installed in good time, and if not: then SIGTERM ends it.
        let script = "trap 'exit 9' TERM; sleep 1000 & wait"
        let run = try await run(.script(script, timeout: .milliseconds(500), grace: .seconds(60)))
        #expect(
            [.timedOut(.exitCode(9)), .timedOut(.signal(Signal(number: 15, name: "SIGTERM")))].contains(run.outcome)
        )
        #expect(try #require(run.usage).wall >= .milliseconds(500))
    }

    @Test func `a process that holds the pipes does not hold up the verdict`() async throws {
        let run = try await run(.script("(setsid sleep 1000; echo never) & echo now; exit 3"))
        #expect(run.outcome == .exited(code: 3))
        #expect(run.standardOutput.text == "now\n")
    }

    @Test func `a fork bomb is timed out with all that it forked`() async throws {
        var specification = RunSpecification.script("f() { f & f & }; f; sleep 1000", timeout: .milliseconds(200))
        specification.limits.processes = 64
        let outcome = try await run(specification).outcome
        #expect(outcome.name == "timed_out" || outcome.name == "exited")
    }

    @Test func `cancelling the task cancels the run`() async throws {
        let runner = try await Runner.start(slots: 1)
        let task = Task { try await runner.run(.script("exec sleep 1000")) }
        task.cancel()
        #expect(try await task.value.outcome.name == "cancelled")
        runner.stop()
    }

    @Test func `a task that is cancelled before its run cancels it`() async throws {
        let runner = try await Runner.start(slots: 1)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await runner.run(.script("exec sleep 1000"))
        }
        // By a signal, or by nothing if its slot was still waiting for another one to go.
        #expect(try await task.value.outcome.name == "cancelled")
        runner.stop()
    }

    @Test func `a command that passes its output limit is ended if it asked for that`() async throws {
        let run = try await run(.script("exec yes", outputBytes: 1000, onOutputLimit: .kill))
        #expect(run.outcome == .outputLimit(.signal(.kill)))
        #expect(run.standardOutput.keptBytes == 1000)
        #expect(run.standardOutput.totalBytes > 1000)
        #expect(run.standardOutput.truncated)
    }

    @Test func `the limit holds for diagnostics too, and there is no grace`() async throws {
        let script = "trap '' TERM; exec yes >&2"
        let run = try await run(.script(script, grace: .seconds(60), outputBytes: 10, onOutputLimit: .kill))
        #expect(run.outcome == .outputLimit(.signal(.kill)))
        #expect(run.standardError.text == "y\ny\ny\ny\ny\n")
    }

    @Test func `output up to the limit is no reason to end a command`() async throws {
        let run = try await run(.script("printf 12345", outputBytes: 5, onOutputLimit: .kill))
        #expect(run.outcome == .exited(code: 0))
        #expect(!run.standardOutput.truncated)
    }

    @Test func `past the limit output is counted and dropped, and the command goes on`() async throws {
        let run = try await run(.script("head -c 3000000 /dev/zero; exit 5", outputBytes: 10))
        #expect(run.outcome == .exited(code: 5))
        #expect(run.standardOutput.keptBytes == 10)
        #expect(run.standardOutput.totalBytes == 3_000_000)
    }

    @Test func `a command that goes on past its limit in small steps is counted to the byte`() async throws {
        let script = "i=0; while [ $i -lt 300 ]; do echo 123456789; i=$((i+1)); done; head -c 500000 /dev/zero; echo"
        let run = try await run(.script(script, outputBytes: 10))
        #expect(run.outcome == .exited(code: 0))
        #expect(run.standardOutput.text == "123456789\n")
        #expect(run.standardOutput.totalBytes == 503_001)
    }

    @Test(arguments: [0, 1, 65_536, 1_000_000])
    func `input comes out of cat as it went in`(count: Int) async throws {
        let input = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let run = try await run(.script("cat", outputBytes: 1 << 20, standardInput: .bytes(input)))
        #expect(run.outcome == .exited(code: 0))
        #expect(run.standardOutput.content == .bytes(input))
    }

    @Test func `a run knows what it used`() async throws {
        let run = try await run(.script("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"))
        let usage = try #require(run.usage)
        #expect(try #require(usage.user) + (try #require(usage.system)) > .zero)
        #expect(try #require(usage.peakMemoryBytes) > 0)
        #expect(usage.wall > .zero)
    }

    @Test func `many runs at once each get their own answer`() async throws {
        let runner = try await Runner.start(slots: 16)
        let codes = try await withThrowingTaskGroup(of: (Int, CompletedRun).self) { group in
            for index in 0..<200 {
                group.addTask {
                    (index, try await runner.run(.script("echo \(index); exit \(index % 100)")))
                }
            }
            var right = 0
            for try await (index, run) in group
            where run.outcome == .exited(code: Int32(index % 100)) && run.standardOutput.text == "\(index)\n" {
                right += 1
            }
            return right
        }
        #expect(codes == 200)
        runner.stop()
    }

    @Test func `runs that end for different reasons at once do not disturb one another`() async throws {
        let runner = try await Runner.start(slots: 12)
        let names = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for index in 0..<60 {
                group.addTask { (index, try await runner.run(Self.ending(index % 5)).outcome.name) }
            }
            var names: [Int: String] = [:]
            for try await (index, name) in group { names[index] = name }
            return names
        }
        let expected = ["exited", "signaled", "timed_out", "output_limit", "start_failed"]
        for (index, name) in names { #expect(name == expected[index % 5]) }
        #expect(names.count == 60)
        runner.stop()
    }

    @Test func `a runner that is stopped runs nothing more`() async throws {
        let runner = try await Runner.start(slots: 1)
        runner.stop()
        runner.stop()
        await #expect(throws: Failure.self) { try await runner.run(["true"], timeout: .seconds(1)) }
    }

    nonisolated private static func ending(_ kind: Int) -> RunSpecification {
        switch kind {
        case 0: .script("exit 3")
        case 1: .script("kill -SEGV $$")
        case 2: .script("exec sleep 1000", timeout: .milliseconds(20))
        case 3: .script("exec yes", outputBytes: 100, onOutputLimit: .kill)
        default: RunSpecification(command: ["/no/such/program"])
        }
    }

    private func run(_ specification: RunSpecification) async throws -> CompletedRun {
        let runner = try await Runner.start(slots: 1)
        defer { runner.stop() }
        return try await runner.run(specification)
    }
}
