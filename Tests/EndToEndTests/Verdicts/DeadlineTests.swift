import Glibc
import TestSupport
import Testing

/// The time limit and the grace period.
struct DeadlineTests {
    @Test(arguments: [
        ("ignores SIGTERM", "trap '' TERM; while :; do sleep 1; done"),
        ("stops itself", "kill -STOP $$"),
        ("spins", "while :; do :; done"),
        (
            "ignores every signal that it can",
            "for n in 1 2 3 6 10 12 13 14 15; do trap '' $n; done; while :; do :; done"
        ),
        ("waits for ever", "read line < /dev/zero"),
    ])
    func `a command that does not end times out`(behaviour: String, script: String) throws {
        try withServer { server in
            let run = try server.shell(script, ["timeoutSeconds": 0.2])
            #expect(run.end == .timedOut, "\(behaviour)")
            try #expect(#require(run.usage).wallSeconds >= 0.2)
            try #expect(#require(run.usage).wallSeconds < 10)
        }
    }

    @Test func `a timeout of a microsecond ends the command`() throws {
        try withServer { server in
            for _ in 0..<20 {
                let run = try server.run(["sleep", "30"], ["timeoutSeconds": 0.000001])
                #expect(run.end == .timedOut)
            }
        }
    }

    @Test func `a run that timed out keeps its output`() throws {
        try withServer { server in
            let run = try server.shell("echo so far; echo and here >&2; sleep 60", ["timeoutSeconds": 0.3])
            #expect(run.end == .timedOut)
            #expect(run.stdout.text == "so far\n")
            #expect(run.stderr.text == "and here\n")
        }
    }

    // MARK: Grace

    @Test func `a command that exits in its grace period keeps its exit code and has timed out`() throws {
        try withServer { server in
            let script = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done"
            let run = try server.shell(script, ["timeoutSeconds": 0.3, "graceSeconds": 30])
            #expect(run.end == .timedOut(exitCode: 3))
            #expect(run.stdout.text == "ready\nbye\n")
            try #expect(#require(run.usage).wallSeconds < 20)
        }
    }

    @Test func `SIGTERM ends a command that does not handle it`() throws {
        try withServer { server in
            let run = try server.run(["sleep", "60"], ["timeoutSeconds": 0.1, "graceSeconds": 30])
            #expect(run.end == .timedOut(signal: "SIGTERM"))
        }
    }

    @Test func `a command that ignores SIGTERM is killed when its grace is over`() throws {
        try withServer { server in
            let script = "trap '' TERM; while :; do sleep 0.05; done"
            let run = try server.shell(script, ["timeoutSeconds": 0.1, "graceSeconds": 0.3])
            #expect(run.end == .timedOut)
            try #expect(#require(run.usage).wallSeconds >= 0.4)
        }
    }

    @Test func `a stopped command receives the SIGTERM of its grace period`() throws {
        try withServer { server in
            let script = "trap 'exit 9' TERM; kill -STOP $$; exit 1"
            let run = try server.shell(script, ["timeoutSeconds": 0.2, "graceSeconds": 30])
            #expect(run.end == .timedOut(exitCode: 9))
        }
    }

    @Test func `the whole tree receives SIGTERM in the grace period`() throws {
        try withServer { server in
            // The shell cannot handle its signal before its child has ended.
            let script = "trap 'exit 4' TERM; sleep 60; exit 5"
            let run = try server.shell(script, ["timeoutSeconds": 0.2, "graceSeconds": 30])
            #expect(run.end == .timedOut(exitCode: 4))
        }
    }

    /// A shell without a handler, whose child handles SIGTERM slowly and tells when it is done.
    private static let slowChild = """
        python3 -c '
        import signal, sys, time
        def end(*_):
            deadline = time.monotonic() + 0.6
            while time.monotonic() < deadline: time.sleep(0.01)
            print("cleaned up", flush=True)
            sys.exit(3)
        signal.signal(signal.SIGTERM, end)
        print("ready", flush=True)
        signal.pause()
        '; echo
        """

    @Test func `every process of a run may use the grace period`() throws {
        try withServer { server in
            let run = try server.shell(Self.slowChild, ["timeoutSeconds": 1, "graceSeconds": 30])
            #expect(run.stdout.text == "ready\ncleaned up\n")
            // The shell itself had no handler.
            #expect(run.end == .timedOut(signal: "SIGTERM"))
        }
    }

    @Test func `every process of a cancelled run may use the grace period`() throws {
        try withServer { server in
            let run = try server.submit(["sh", "-c", Self.slowChild], ["timeoutSeconds": 600, "graceSeconds": 30])
            #expect(eventually { (try? server.get("/runs/\(run.id)/stdout").text) == "ready\n" })
            _ = try server.send("POST", "/runs/\(run.id)/cancel")
            let end = try server.finished(run)
            #expect(end.stdout.text == "ready\ncleaned up\n")
            #expect(end.outcome == "cancelled")
        }
    }

    @Test func `the exit code is that of the command, whatever its children do in the grace period`() throws {
        try withServer { server in
            let script = "trap 'exit 9' TERM; (trap 'sleep 0.3; exit 4' TERM; sleep 60 & wait; wait) & wait"
            let run = try server.shell(script, ["timeoutSeconds": 0.3, "graceSeconds": 30])
            #expect(run.end == .timedOut(exitCode: 9))
        }
    }

    @Test func `the end of the command without a SIGTERM ends the run at once`() throws {
        try withServer { server in
            let word = Marker.word()
            let script = "sh -c 'trap : TERM; while :; do sleep 0.01; done' \(word) & exit 3"
            let run = try server.shell(script, ["timeoutSeconds": 60, "graceSeconds": 60])
            #expect(run.end == .exited(3))
            #expect(ProcessTable.running(word).isEmpty)
        }
    }

    @Test func `a command that ends in time gets no SIGTERM`() throws {
        try withServer { server in
            try #expect(server.shell("exit 6", ["timeoutSeconds": 20, "graceSeconds": 20]).end == .exited(6))
        }
    }

    // MARK: The backstop

    @Test func `a slot that is stopped from outside does not delay the timeout`() throws {
        try withServer { server in
            let nap = Marker.nap()
            let run = try server.submit(["sleep", nap], ["timeoutSeconds": 2])
            // The slot has reported the start. Otherwise the timeout of the start would end the run, not the deadline.
            let started = try eventually { try server.get("/runs/\(run.id)").run().startedAt != nil }
            #expect(started)
            let command = try #require(ProcessTable.running(nap).first)
            let slot = try #require(ProcessTable.entry(command)).parent
            try #require(kill(slot, SIGSTOP) == 0)
            let finished = try server.finished(run)
            #expect(finished.end == .timedOut)
            try #expect(#require(finished.usage).wallSeconds < 20)
            #expect(ProcessTable.running(nap).isEmpty)
            try #expect(server.shell("exit 7").end == .exited(7))
        }
    }
}

/// Commands that end at their deadline.
///
/// The verdict must not contradict the command's own end.
@Suite(.serialized)
struct BoundaryTests {
    /// Timeouts for a command that sleeps for 0.1 s: 0.9 to 1.1 times the sleep.
    private static let timeouts = [0.09, 0.099, 0.0999, 0.1, 0.1001, 0.101, 0.11]

    private func check(_ run: RunDocument, timeout: Double, nap: Double = 0.1) throws {
        let wall = try #require(run.usage).wallSeconds
        switch run.end {
        case .exited(0):
            // The command wrote its last line before its end, and it did not end before its sleep was over.
            #expect(run.stdout.text == "done\n")
            #expect(wall >= nap)
        default:
            #expect(run.end == .timedOut)
            #expect(wall >= timeout)
        }
    }

    private func sleepAtTheBoundary(_ server: ServerProcess, times: Int) throws {
        for timeout in Self.timeouts {
            let script = ["sh", "-c", "sleep 0.1; echo done"]
            let runs = try server.runTogether(times, script, ["timeoutSeconds": timeout])
            for run in runs { try check(run, timeout: timeout) }
        }
    }

    @Test func `verdicts at the deadline agree with the command's end`() throws {
        try withServer("--concurrency", "8") { server in
            for _ in 0..<3 { try sleepAtTheBoundary(server, times: 16) }
        }
    }

    @Test func `verdicts of a one-second sleep agree with its end under timeouts of about one second`() throws {
        try withServer("--concurrency", "56") { server in
            let timeouts = [0.9, 0.99, 0.999, 1.0, 1.001, 1.01, 1.1]
            let runs = try timeouts.map { timeout in
                try (0..<8).map { _ in
                    try server.submit(["sh", "-c", "sleep 1; echo done"], ["timeoutSeconds": timeout])
                }
            }
            for (timeout, runs) in zip(timeouts, runs) {
                for run in runs { try check(server.finished(run), timeout: timeout, nap: 1) }
            }
        }
    }

    @Test func `verdicts at the deadline agree with the command's end on one busy processor`() throws {
        let loops = try (0..<3).map { _ in try ChildProcess(["taskset", "-c", "0", "perl", "-e", "1 while 1"]) }
        try withExtendedLifetime(loops) {
            try withServer("--concurrency", "8", prefix: ["taskset", "-c", "0"]) { server in
                try sleepAtTheBoundary(server, times: 16)
            }
        }
    }

    @Test func `a command that ended in time has not timed out although the service was stopped`() throws {
        // The server is stopped from before the command's end until after the deadline.
        try withServer { server in
            let word = Marker.word()
            let run = try server.submit(
                ["perl", "-e", "select undef, undef, undef, 0.3; exit 8", word],
                [
                    "timeoutSeconds": 0.6
                ]
            )
            #expect(eventually { !ProcessTable.running(word).isEmpty })
            server.process.send(signal: SIGSTOP)
            #expect(eventually { ProcessTable.running(word).isEmpty })
            let deadline = monotonicSeconds() + 0.6
            #expect(eventually { monotonicSeconds() > deadline })
            server.process.send(signal: SIGCONT)
            try #expect(server.finished(run).end == .exited(8))
        }
    }

    @Test func `a command that outlives its deadline while the service is stopped keeps its own end`() throws {
        try withServer { server in
            let word = Marker.word()
            let run = try server.submit(
                ["perl", "-e", "select undef, undef, undef, 0.5; exit 9", word],
                [
                    "timeoutSeconds": 0.2
                ]
            )
            #expect(eventually { !ProcessTable.running(word).isEmpty })
            server.process.send(signal: SIGSTOP)
            #expect(eventually { ProcessTable.running(word).isEmpty })
            server.process.send(signal: SIGCONT)
            // The service killed no process, so the recorded end is the command's own.
            try #expect(server.finished(run).end == .exited(9))
        }
    }

    @Test func `a command that was killed before its deadline has not timed out although its slot was stopped`() throws
    {
        // The slot is stopped from before the command's end until the service has told it to kill the command. The slot
        // then finds both, and the signal is the same.
        try withServer { server in
            let nap = Marker.nap()
            let start = monotonicSeconds()
            let run = try server.submit(["sleep", nap], ["timeoutSeconds": 1])
            #expect(eventually { !ProcessTable.running(nap).isEmpty })
            let command = try #require(ProcessTable.running(nap).first.flatMap(ProcessTable.entry))
            try #require(kill(command.parent, SIGSTOP) == 0)
            kill(command.pid, SIGKILL)
            #expect(eventually { !ProcessTable.isAlive(command) })
            let isInTime = monotonicSeconds() < start + 1
            #expect(eventually { monotonicSeconds() > start + 1.2 })
            kill(command.parent, SIGCONT)
            let end = try server.finished(run).end
            #expect(end == (isInTime ? .signaled("SIGKILL") : .timedOut))
        }
    }

    @Test func `two hundred commands may end exactly at their deadline`() throws {
        try withServer("--concurrency", "200") { server in
            let nap = "0.3"
            let runs = try server.runTogether(200, ["sleep", nap], ["timeoutSeconds": 0.3])
            #expect(runs.count == 200)
            #expect(Set(runs.map(\.id)).count == 200)
            for run in runs {
                #expect(run.state == "finished")
                #expect(run.end == .exited(0) || run.end == .timedOut)
                try #expect(#require(run.usage).wallSeconds >= 0.3)
            }
            #expect(eventually { server.isIdle })
        }
    }
}
