import Execution
import Glibc
import Reactor
import Runs
import Sandbox
import TestSupport
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct ExecutionTests {
    @Test func `the observer is told of the start, the output and, last, the end`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("echo out; echo err >&2; exit 7"), on: launcher)
            let conclusion = await command.conclusion()
            #expect(conclusion.outcome == .exited(code: 7))
            #expect(command.startCount == 1)
            #expect(command.text() == "out\n")
            #expect(command.text(.standardError) == "err\n")
            #expect(conclusion.outputBytes == 4)
            #expect(conclusion.errorBytes == 4)
        }
    }

    @Test func `a cancel ends the command`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("echo; exec sleep 1000"), on: launcher)
            await command.firstOutput()
            command.execution?.cancel()
            command.execution?.cancel()
            #expect(await command.conclusion().outcome == .cancelled(.signal(.kill)))
        }
    }

    @Test func `a cancel before the start is a cancel`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("exec sleep 1000"), on: launcher)
            command.execution?.cancel()
            #expect(await command.conclusion().outcome == .cancelled(.signal(.kill)))
        }
    }

    @Test func `a cancel after the end changes nothing`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("exit 3"), on: launcher)
            #expect(await command.conclusion().outcome == .exited(code: 3))
            command.execution?.cancel()
            #expect(command.conclusions.count == 1)
        }
    }

    @Test func `in its grace period a command may choose its exit code`() async throws {
        try await withLauncher { launcher in
            let script = "trap 'exit 7' TERM; echo; sleep 1000 & wait"
            let command = try Command(.script(script, grace: .seconds(60)), on: launcher)
            await command.firstOutput()
            command.execution?.cancel()
            #expect(await command.conclusion().outcome == .cancelled(.exitCode(7)))
        }
    }

    @Test func `a command without a handler is ended by SIGTERM in its grace period`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("echo; exec sleep 1000", grace: .seconds(60)), on: launcher)
            await command.firstOutput()
            command.execution?.cancel()
            let outcome = await command.conclusion().outcome
            #expect(outcome == .cancelled(.signal(Signal(number: 15, name: "SIGTERM"))))
        }
    }

    @Test func `a command that ignores SIGTERM is killed when its grace is over`() async throws {
        try await withLauncher { launcher in
            let script = "trap '' TERM; echo; while :; do sleep 1000; done"
            let command = try Command(.script(script, grace: .milliseconds(50)), on: launcher)
            await command.firstOutput()
            let cancelled = MonotonicTime.now
            command.execution?.cancel()
            #expect(await command.conclusion().outcome == .cancelled(.signal(.kill)))
            #expect(MonotonicTime.now.since(cancelled) >= .milliseconds(50))
        }
    }

    @Test func `what writes its input from outside ends it by closing the pipe`() async throws {
        try await withLauncher { launcher in
            let pipe = try TestPipe(nonBlocking: .writing)
            let input = Execution.Input.pipe(pipe.takeReadEnd().release())
            let command = try Command(.script("cat"), on: launcher, input: input)
            pipe.write("from outside")
            await command.firstOutput()
            pipe.closeWriteEnd()
            #expect(await command.conclusion().outcome == .exited(code: 0))
            #expect(command.text() == "from outside")
        }
    }

    @Test func `when a run is over, nothing that it started holds its input any more`() async throws {
        try await withLauncher { launcher in
            let pipe = try TestPipe(nonBlocking: .writing)
            let input = Execution.Input.pipe(pipe.takeReadEnd().release())
            // The input goes to the background as descriptor 5: sh gives background commands /dev/null for theirs.
            let script = "exec 5<&0; for i in 1 2 3 4; do setsid sleep 1000 & done; exit 4"
            let command = try Command(.script(script), on: launcher, input: input)
            #expect(await command.conclusion().outcome == .exited(code: 4))
            #expect(pipe.hasNoReader)
        }
    }

    @Test func `a paused stream holds the command up, and a resumed one lets it go on`() async throws {
        try await withLauncher { launcher in
            // More than any pipe holds.
            let command = try Command(.script("head -c 8000000 /dev/zero", outputBytes: 8_000_000), on: launcher)
            command.answer = .pause
            await command.firstOutput()
            #expect(command.execution?.totalBytes(.standardOutput) ?? 0 < 8_000_000)
            command.answer = .more
            command.execution?.resume(.standardOutput)
            #expect(await command.conclusion().outcome == .exited(code: 0))
            #expect(command.output[.standardOutput]?.count == 8_000_000)
        }
    }

    @Test func `a command whose output nobody wants gets SIGPIPE`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("exec yes"), on: launcher)
            command.answer = .close
            #expect(await command.conclusion().outcome == .signaled(Signal(number: 13, name: "SIGPIPE")))
        }
    }

    @Test func `a launcher that is stopped ends its runs as failed by this service`() async throws {
        try await withLauncher { launcher in
            let command = try Command(.script("exec sleep 1000"), on: launcher)
            await command.start()
            launcher.stop()
            let conclusion = await command.conclusion()
            #expect(conclusion.outcome.name == "internal_error")
            #expect(conclusion.usage != nil)
            #expect(throws: Failure.self) { _ = try Command(.script("true"), on: launcher) }
        }
    }

    @Test func `a run that is cancelled while it waits for a slot was ended by nothing`() async throws {
        try await withLauncher(slots: 1) { launcher in
            let first = try Command(.script("echo; exec sleep 1000"), on: launcher)
            await first.firstOutput()
            let second = try Command(.script("true"), on: launcher)
            second.execution?.cancel()
            let outcome = await second.conclusion().outcome
            #expect(outcome.name == "cancelled")
            #expect(outcome == .cancelled(nil))
        }
    }
}

extension Signal {
    static let kill = Signal(number: 9, name: "SIGKILL")
}
