import Execution
import Glibc
import Reactor
import RunModel
import Sandbox
import System
import TestSupport
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct ExecutionTests {
    @Test func `the observer receives the start, the output and, last, the end`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("echo out; echo err >&2; exit 7"), on: launcher)
            let result = await command.result()
            #expect(result.outcome == .exited(code: 7))
            #expect(command.startCount == 1)
            #expect(command.text() == "out\n")
            #expect(command.text(.standardError) == "err\n")
            #expect(result.outputBytes == 4)
            #expect(result.errorBytes == 4)
        }
    }

    @Test func `a cancel ends the command`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("echo; exec sleep 1000"), on: launcher)
            await command.firstOutput()
            command.execution?.cancel()
            command.execution?.cancel()
            #expect(await command.result().outcome == .cancelled(.signal(.kill)))
        }
    }

    @Test func `a cancel before the start cancels the run`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("exec sleep 1000"), on: launcher)
            command.execution?.cancel()
            #expect(await command.result().outcome == .cancelled(.signal(.kill)))
        }
    }

    @Test func `a cancel after the end changes nothing`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("exit 3"), on: launcher)
            #expect(await command.result().outcome == .exited(code: 3))
            command.execution?.cancel()
            #expect(command.results.count == 1)
        }
    }

    @Test func `a command chooses its exit code in its grace period`() async throws {
        try await withLauncher { launcher in
            // A shell's child that has not reset its traps yet would lose the signal.
            let script = "trap 'exit 7' TERM; (trap - TERM; echo; exec sleep 1000) & wait"
            let command = try Command(.script(script, grace: .seconds(60)), on: launcher)
            await command.firstOutput()
            command.execution?.cancel()
            #expect(await command.result().outcome == .cancelled(.exitCode(7)))
        }
    }

    @Test func `a command without a handler is ended by SIGTERM in its grace period`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("echo; exec sleep 1000", grace: .seconds(60)), on: launcher)
            await command.firstOutput()
            command.execution?.cancel()
            let outcome = await command.result().outcome
            #expect(outcome == .cancelled(.signal(Signal(number: 15, name: "SIGTERM"))))
        }
    }

    @Test func `a command that ignores SIGTERM is killed at the end of its grace period`() async throws {
        try await withLauncher { launcher in
            let script = "trap '' TERM; echo; while :; do sleep 1000; done"
            let command = try Command(.script(script, grace: .milliseconds(50)), on: launcher)
            await command.firstOutput()
            let cancelled = MonotonicTime.now
            command.execution?.cancel()
            #expect(await command.result().outcome == .cancelled(.signal(.kill)))
            #expect(MonotonicTime.now.since(cancelled) >= .milliseconds(50))
        }
    }

    @Test func `closing the input pipe from outside ends the input`() async throws {
        try await withLauncher { launcher in
            let pipe = try TestPipe(nonBlocking: .writing)
            let input = RunExecution.Input.pipe(pipe.takeReadEnd().release())
            let command = try Command(.script("cat"), on: launcher, input: input)
            pipe.write("from outside")
            await command.firstOutput()
            pipe.closeWriteEnd()
            #expect(await command.result().outcome == .exited(code: 0))
            #expect(command.text() == "from outside")
        }
    }

    @Test func `no process of a finished run holds its input open`() async throws {
        try await withLauncher { launcher in
            let pipe = try TestPipe(nonBlocking: .writing)
            let input = RunExecution.Input.pipe(pipe.takeReadEnd().release())
            // The input goes to the background as descriptor 5: sh gives background commands /dev/null for theirs.
            let script = "exec 5<&0; for i in 1 2 3 4; do setsid sleep 1000 & done; exit 4"
            let command = try Command(.script(script), on: launcher, input: input)
            #expect(await command.result().outcome == .exited(code: 4))
            #expect(pipe.hasNoReader)
        }
    }

    @Test func `a paused stream stops the command, and a resumed stream lets it continue`() async throws {
        try await withLauncher { launcher in
            // More than any pipe holds.
            let command = try Command(.script("head -c 8000000 /dev/zero", outputBytes: 8_000_000), on: launcher)
            command.backpressure = .pause
            await command.firstOutput()
            #expect(command.execution?.totalBytes(.standardOutput) ?? 0 < 8_000_000)
            command.backpressure = .more
            command.execution?.resume(.standardOutput)
            #expect(await command.result().outcome == .exited(code: 0))
            #expect(command.output[.standardOutput]?.count == 8_000_000)
        }
    }

    @Test func `a command whose output is closed gets SIGPIPE`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("exec yes"), on: launcher)
            command.backpressure = .close
            #expect(await command.result().outcome == .signaled(Signal(number: 13, name: "SIGPIPE")))
        }
    }

    @Test func `a stopped launcher ends its runs with an internal error`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("exec sleep 1000"), on: launcher)
            await command.start()
            launcher.stop()
            let result = await command.result()
            #expect(result.outcome.name == "internal_error")
            #expect(result.usage != nil)
            #expect(throws: Failure.self) { _ = try Command(.script("true"), on: launcher) }
        }
    }

    @Test func `a run cancelled while it waits for a slot has no signal`() async throws {
        try await withLauncher(slots: 1) { launcher in
            let first = try Command(.script("echo; exec sleep 1000"), on: launcher)
            await first.firstOutput()
            let second = try Command(.script("true"), on: launcher)
            second.execution?.cancel()
            let outcome = await second.result().outcome
            #expect(outcome.name == "cancelled")
            #expect(outcome == .cancelled(nil))
        }
    }
}

extension Signal {
    static let kill = Signal(number: 9, name: "SIGKILL")
}
