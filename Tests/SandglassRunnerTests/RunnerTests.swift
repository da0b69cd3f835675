import Glibc
import Reactor
import RunModel
import TestSupport
import Testing

@testable import SandglassRunner

@Suite(.needsSandbox, .timeLimit(.minutes(2))) @ReactorActor struct RunnerTests {
    @Test(arguments: [0, 1, 124, 125, 126, 127, 128, 137, 255] as [Int32])
    func `an exit code is never lost`(code: Int32) async throws {
        #expect(try await run(.script("exit \(code)")).outcome == .exited(code: code))
    }

    @Test(
        arguments: [(1, "SIGHUP"), (9, "SIGKILL"), (11, "SIGSEGV"), (15, "SIGTERM"), (35, "SIG35")] as [(Int32, String)]
    )
    func `a signal from elsewhere is reported as the end of the command`(number: Int32, name: String) async throws {
        let outcome = try await run(.script("kill -\(number) $$; sleep 1000")).outcome
        #expect(outcome == .signaled(Runner.Signal(number: number, name: name, coreDumped: false)))
    }

    @Test func `a command that outlasts its timeout is timed out, and not earlier`() async throws {
        let run = try await run(.script("exec sleep 1000", timeout: .milliseconds(50)))
        #expect(run.outcome == .timedOut(.signal(.kill)))
        #expect(try #require(run.usage).wall >= .milliseconds(50))
    }

    @Test func `the limits of a command are those of its run`() {
        var command = Runner.Command(["true"])
        (command.limits.cpus, command.limits.stackBytes, command.limits.openFiles) = (1.5, 1 << 20, 7)
        let limits = command.specification.limits
        #expect(limits.cpus == 1.5 && limits.stackBytes == 1 << 20 && limits.openFiles == 7)
    }

    @Test func `the smallest limit is still a limit`() async throws {
        let run = try await run(.script("exec sleep 1000", timeout: .nanoseconds(1)))
        #expect(run.outcome == .timedOut(.signal(.kill)))
    }

    @Test func `a timeout too long to represent is no limit`() async throws {
        #expect(try await run(.script("exit 1", timeout: .seconds(Int64.max))).outcome == .exited(code: 1))
    }

    @Test func `a stopped command is timed out too`() async throws {
        let run = try await run(.script("kill -STOP $$", timeout: .milliseconds(50)))
        #expect(run.outcome == .timedOut(.signal(.kill)))
    }

    @Test func `a command chooses its exit code in its grace period`() async throws {
        // SIGTERM ends a shell that has not installed its trap yet.
        let script = "trap 'exit 9' TERM; sleep 1000 & wait"
        let run = try await run(.script(script, timeout: .milliseconds(500), grace: .seconds(60)))
        #expect(
            [
                .timedOut(.exitCode(9)),
                .timedOut(.signal(Runner.Signal(number: 15, name: "SIGTERM", coreDumped: false))),
            ].contains(run.outcome)
        )
        #expect(try #require(run.usage).wall >= .milliseconds(500))
    }

    @Test func `a process that holds the pipes does not delay the verdict`() async throws {
        let run = try await run(.script("(setsid sleep 1000; echo never) & echo now; exit 3"))
        #expect(run.outcome == .exited(code: 3))
        #expect(run.standardOutput.text == "now\n")
    }

    @Test func `a fork bomb is timed out with every process that it forked`() async throws {
        var specification = RunSpecification.script("f() { f & f & }; f; sleep 1000", timeout: .milliseconds(200))
        specification.limits.processes = 64
        let outcome = try await run(specification).outcome
        #expect(["timedOut", "exited"].contains(outcome.name))
    }

    @Test func `cancelling the task cancels the run`() async throws {
        let runner = try await Runner.start(slots: 1)
        let task = Task { try await runner.run(.script("exec sleep 1000")) }
        task.cancel()
        #expect(try await task.value.outcome.name == "cancelled")
        await runner.stop()
    }

    @Test func `a task that was cancelled before its run cancels the run`() async throws {
        let runner = try await Runner.start(slots: 1)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await runner.run(.script("exec sleep 1000"))
        }
        // No signal is involved if its slot was still waiting for another one to end.
        #expect(try await task.value.outcome.name == "cancelled")
        await runner.stop()
    }

    @Test func `a command that exceeds its output limit is ended if it asked for that`() async throws {
        let run = try await run(.script("exec yes", outputBytes: 1000, onOutputLimit: .kill))
        #expect(run.outcome == .outputLimit(.signal(.kill)))
        #expect(run.standardOutput.bytes.count == 1000)
        #expect(run.standardOutput.totalBytes > 1000)
        #expect(run.standardOutput.isTruncated)
    }

    @Test func `the output limit applies to standard error too, without a grace period`() async throws {
        let script = "trap '' TERM; exec yes >&2"
        let run = try await run(.script(script, grace: .seconds(60), outputBytes: 10, onOutputLimit: .kill))
        #expect(run.outcome == .outputLimit(.signal(.kill)))
        #expect(run.standardError.text == "y\ny\ny\ny\ny\n")
    }

    @Test func `output up to the limit does not end a command`() async throws {
        let run = try await run(.script("printf 12345", outputBytes: 5, onOutputLimit: .kill))
        #expect(run.outcome == .exited(code: 0))
        #expect(!run.standardOutput.isTruncated)
    }

    @Test func `output beyond the limit is counted and dropped while the command continues`() async throws {
        let run = try await run(.script("head -c 3000000 /dev/zero; exit 5", outputBytes: 10))
        #expect(run.outcome == .exited(code: 5))
        #expect(run.standardOutput.bytes.count == 10)
        #expect(run.standardOutput.totalBytes == 3_000_000)
    }

    @Test func `small writes beyond the limit are counted to the byte`() async throws {
        let script = "i=0; while [ $i -lt 300 ]; do echo 123456789; i=$((i+1)); done; head -c 500000 /dev/zero; echo"
        let run = try await run(.script(script, outputBytes: 10))
        #expect(run.outcome == .exited(code: 0))
        #expect(run.standardOutput.text == "123456789\n")
        #expect(run.standardOutput.totalBytes == 503_001)
    }

    @Test(arguments: [0, 1, 65_536, 1_000_000])
    func `cat returns its input unchanged`(count: Int) async throws {
        let input = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let run = try await run(.script("cat", outputBytes: 1 << 20, standardInput: .bytes(input)))
        #expect(run.outcome == .exited(code: 0))
        #expect(run.standardOutput.bytes == input)
    }

    @Test func `a run reports the resources that it used`() async throws {
        let run = try await run(.script("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"))
        let usage = try #require(run.usage)
        #expect(try #require(usage.user) + (try #require(usage.system)) > .zero)
        #expect(try #require(usage.peakMemoryBytes) > 0)
        #expect(usage.wall > .zero)
    }

    @Test func `many runs at once each get their own result`() async throws {
        let runner = try await Runner.start(slots: 16)
        let codes = try await withThrowingTaskGroup(of: (Int, Runner.Result).self) { group in
            for index in 0..<200 {
                group.addTask {
                    (index, try await runner.run(.script("echo \(index); exit \(index % 100)")))
                }
            }
            var correct = 0
            for try await (index, run) in group
            where run.outcome == .exited(code: Int32(index % 100)) && run.standardOutput.text == "\(index)\n" {
                correct += 1
            }
            return correct
        }
        #expect(codes == 200)
        await runner.stop()
    }

    @Test func `runs that end at once for different reasons do not disturb each other`() async throws {
        let runner = try await Runner.start(slots: 12)
        let names = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for index in 0..<60 {
                group.addTask { (index, try await runner.run(Self.ending(index % 5)).outcome.name) }
            }
            var names: [Int: String] = [:]
            for try await (index, name) in group { names[index] = name }
            return names
        }
        let expected = ["exited", "signaled", "timedOut", "outputLimit", "startFailed"]
        for (index, name) in names { #expect(name == expected[index % 5]) }
        #expect(names.count == 60)
        await runner.stop()
    }

    @Test func `a stopped runner refuses commands`() async throws {
        let runner = try await Runner.start(slots: 1)
        await runner.stop()
        await runner.stop()
        await #expect(throws: Runner.Failure.self) { try await runner.run(["true"], timeout: .seconds(1)) }
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

    private func run(_ specification: RunSpecification) async throws -> Runner.Result {
        let runner = try await Runner.start(slots: 1)
        let result = try await runner.run(specification)
        await runner.stop()
        return result
    }
}

extension Runner.Signal {
    fileprivate static let kill = Runner.Signal(number: 9, name: "SIGKILL", coreDumped: false)
}

extension Runner.Outcome {
    /// The name of the case, without its values.
    fileprivate var name: String { String("\(self)".prefix { $0 != "(" }) }
}
