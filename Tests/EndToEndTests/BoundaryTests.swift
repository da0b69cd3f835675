import Glibc
import Testing

/// Commands that end when their time does: whatever the verdict, it must not contradict the command's own end.
@Suite(.serialized)
struct BoundaryTests {
    /// Of a command that sleeps for 0.1 s: 0.9 to 1.1 of what it needs.
    private static let timeouts = [0.09, 0.099, 0.0999, 0.1, 0.1001, 0.101, 0.11]

    private func check(_ run: RunReply, timeout: Double, nap: Double = 0.1) throws {
        let wall = try #require(run.usage).wallSeconds
        switch run.end {
        case .exited(0):
            // It wrote its last word before it ended, and its end was no earlier than it can be.
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

    @Test func `no verdict contradicts the command's end at the boundary`() throws {
        try withServer("--concurrency", "8") { server in
            for _ in 0..<3 { try sleepAtTheBoundary(server, times: 16) }
        }
    }

    @Test func `a second's sleep under limits about a second long is never contradicted`() throws {
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

    @Test func `no verdict contradicts the command's end at the boundary on one busy processor`() throws {
        let loops = try (0..<3).map { _ in try ChildProcess(["taskset", "-c", "0", "perl", "-e", "1 while 1"]) }
        try withExtendedLifetime(loops) {
            try withServer("--concurrency", "8", prefix: ["taskset", "-c", "0"]) { server in
                try sleepAtTheBoundary(server, times: 16)
            }
        }
    }

    @Test func `a command that has ended has not timed out, however late the service looks`() throws {
        // The server stands still from before the command's end until after its deadline.
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

    @Test func `a command that outlives its deadline while the service stands still has ended by itself`() throws {
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
            // Nobody killed it: its own end is what was recorded.
            try #expect(server.finished(run).end == .exited(9))
        }
    }

    @Test func `a command that was ended before its deadline has not timed out, however late its slot looks`() throws {
        // The slot stands still from before the command's end until it has been told to kill it: both wait for it then, and
        // the signal is the very same.
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

    @Test func `two hundred commands may end at the very deadline`() throws {
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
