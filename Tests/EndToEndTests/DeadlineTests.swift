import Glibc
import Testing

/// The wall-clock limit: what it ends, and what it does not.
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
    func `a command that will not end times out`(what: String, script: String) throws {
        try withServer { server in
            let run = try server.shell(script, ["timeoutSeconds": 0.2])
            #expect(run.end == .timedOut, "\(what)")
            try #expect(#require(run.usage).wallSeconds >= 0.2)
            try #expect(#require(run.usage).wallSeconds < 10)
        }
    }

    @Test func `a deadline that is over at once ends the command or finds it ended`() throws {
        try withServer { server in
            for _ in 0..<20 {
                let run = try server.run(["sleep", "30"], ["timeoutSeconds": 0.000001])
                #expect(run.end == .timedOut)
            }
        }
    }

    @Test func `a run that has timed out keeps what it had written`() throws {
        try withServer { server in
            let run = try server.shell("echo so far; echo and here >&2; sleep 60", ["timeoutSeconds": 0.3])
            #expect(run.end == .timedOut)
            #expect(run.stdout.text == "so far\n")
            #expect(run.stderr.text == "and here\n")
        }
    }

    // MARK: Grace

    @Test func `a command may choose its exit code in its grace period, and has still timed out`() throws {
        try withServer { server in
            let script = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done"
            let run = try server.shell(script, ["timeoutSeconds": 0.3, "graceSeconds": 30])
            #expect(run.end == .timedOut(exitCode: 3))
            #expect(run.stdout.text == "ready\nbye\n")
            try #expect(#require(run.usage).wallSeconds < 20)
        }
    }

    @Test func `a command that does not handle SIGTERM is ended by it`() throws {
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

    @Test func `a stopped command gets to see the SIGTERM of its grace period`() throws {
        try withServer { server in
            let script = "trap 'exit 9' TERM; kill -STOP $$; exit 1"
            let run = try server.shell(script, ["timeoutSeconds": 0.2, "graceSeconds": 30])
            #expect(run.end == .timedOut(exitCode: 9))
        }
    }

    @Test func `the grace period is for the whole tree`() throws {
        try withServer { server in
            // The shell cannot handle its signal before its child is gone.
            let script = "trap 'exit 4' TERM; sleep 60; exit 5"
            let run = try server.shell(script, ["timeoutSeconds": 0.2, "graceSeconds": 30])
            #expect(run.end == .timedOut(exitCode: 4))
        }
    }

    @Test func `a command that ends in time has no use for its grace`() throws {
        try withServer { server in
            try #expect(server.shell("exit 6", ["timeoutSeconds": 20, "graceSeconds": 20]).end == .exited(6))
        }
    }

    // MARK: The backstop

    @Test func `a slot that is stopped from outside at its deadline does not hold the run up`() throws {
        try withServer { server in
            let nap = Marker.nap()
            let run = try server.submit(["sleep", nap], ["timeoutSeconds": 2])
            // Its slot has said so: one that is stopped before would be the start's backstop, not the deadline's.
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
