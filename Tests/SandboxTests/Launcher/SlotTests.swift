import Glibc
import Reactor
import Sandbox
import System
import TestSupport
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct SlotTests {
    @Test func `a record has the start, the end and the resource usage of the command`() async throws {
        try await withLauncher { launcher in
            let before = MonotonicTime.now
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(.make("sh", "-c", "exit 7"))
            guard case .started(let started) = await log.next() else { throw Unexpected() }
            let end = try #require(await log.end())
            #expect(end.waitStatus == 7 << 8)
            #expect(!end.wasTerminated && !end.wasKilled)
            #expect(before < started && started == end.startedAt && end.startedAt < end.endedAt)
            #expect(end.endedAt < .now)
            #expect(end.peakMemoryBytes > 0)
        }
    }

    @Test func `a command that cannot be executed fails in exec`() async throws {
        #expect(try await failure(of: .make("no-such-program")) == SetupFailure(step: .exec, number: ENOENT))
        #expect(try await failure(of: .make("/no/such/program")) == SetupFailure(step: .exec, number: ENOENT))
        #expect(try await failure(of: .make("/etc/passwd")) == SetupFailure(step: .exec, number: EACCES))
        #expect(try await failure(of: .make("/usr")) == SetupFailure(step: .exec, number: EACCES))
        #expect(try await failure(of: .make("/etc/passwd/x")) == SetupFailure(step: .exec, number: ENOTDIR))
    }

    @Test func `a missing working directory fails in its own step`() async throws {
        let command = SlotCommand.make("true", workingDirectory: "/no/such/directory")
        #expect(try await failure(of: command) == SetupFailure(step: .workingDirectory, number: ENOENT))
    }

    @Test func `a record shows that SIGTERM was sent before the end`() async throws {
        try await withLauncher { launcher in
            let (slot, log) = try await running(launcher, "echo; exec sleep 1000")
            slot.terminate()
            let end = try #require(await log.end())
            #expect(end.waitStatus == SIGTERM)
            #expect(end.wasTerminated && !end.wasKilled)
        }
    }

    @Test func `SIGKILL ends a command that ignores other signals, and the record shows it`()
        async throws
    {
        try await withLauncher { launcher in
            let (slot, log) = try await running(launcher, "trap '' TERM INT HUP; echo; while :; do sleep 1; done")
            slot.terminate()
            slot.kill()
            let end = try #require(await log.end())
            #expect(end.waitStatus == SIGKILL)
            #expect(end.wasTerminated && end.wasKilled)
        }
    }

    @Test func `a stopped command receives SIGTERM`() async throws {
        try await withLauncher { launcher in
            let (slot, log) = try await running(launcher, "trap 'exit 5' TERM; echo; kill -STOP $$; sleep 1000 & wait")
            slot.terminate()
            #expect(try #require(await log.end()).waitStatus == 5 << 8)
        }
    }

    @Test func `a slot that is destroyed vanishes with all its processes`() async throws {
        try await withLauncher { launcher in
            let pipe = try TestPipe(nonBlocking: .reading)
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(.make("sh", "-c", "setsid sleep 1000 & setsid sleep 1000 & wait"), into: pipe)
            #expect(await log.next().isStarted)
            slot.destroy()
            #expect(await log.next() == .vanished)
            #expect(pipe.hasNoWriter)
            slot.destroy()
            #expect(log.count == 2)
        }
    }

    @Test func `a waiting slot can be destroyed`() async throws {
        try await withLauncher(slots: 1) { launcher in
            let running = try launcher.makeSlot()
            let waiting = try launcher.makeSlot()
            let log = ReportLog(waiting)
            waiting.destroy()
            #expect(await log.next() == .vanished)
            let ending = ReportLog(running)
            try running.start(.make("true"))
            #expect(await ending.end()?.waitStatus == 0)
        }
    }

    @Test func `a slot that is destroyed at once sends one report`() async throws {
        try await withLauncher { launcher in
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            slot.destroy()
            #expect(await log.next() == .vanished)
            #expect(log.count == 1)
        }
    }

    @Test func `processes that the command leaves behind are gone before its end is reported`() async throws {
        try await withLauncher { launcher in
            let pipe = try TestPipe(nonBlocking: .reading)
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            // With this many processes, their end takes longer than a report.
            let script = "for i in $(seq 300); do sleep 1000 & done; setsid sleep 1000 & exit 3"
            try slot.start(.make("sh", "-c", script), into: pipe)
            #expect(await log.end()?.waitStatus == 3 << 8)
            #expect(pipe.hasNoWriter)
        }
    }

    @Test func `a command has its environment, its directory and three descriptors`() async throws {
        let script = """
            echo "$A|$PATH|$PWD|$(id -u):$(id -g)|$(uname -n)|$(ls /proc/self/fd | tr '\\n' ' ')"
            """
        // ls(1) opens the fourth itself.
        #expect(
            try await output(of: .make("sh", "-c", script)) == "a b|/usr/bin:/bin|/box|1000:1000|sandglass|0 1 2 3 \n"
        )
    }

    @Test func `a command has no blocked or ignored signals, no capabilities, and cannot get any`() async throws {
        let status = try await output(of: .make("cat", "/proc/self/status")).split(separator: "\n").map(String.init)
        for name in ["SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            #expect(status.contains(name + ":\t0000000000000000"))
        }
        #expect(status.contains("NoNewPrivs:\t1"))
    }

    @Test func `a command is not pid 1, and can kill only itself`() async throws {
        try await withLauncher { launcher in
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(.make("sh", "-c", "kill -9 1; kill -9 $$; exit 0"))
            #expect(try #require(await log.end()).waitStatus == SIGKILL)
        }
    }

    @Test func `the number of descriptors and processes is limited`() async throws {
        #expect(try await output(of: .make("sh", "-c", "ulimit -n; ulimit -c")) == "64\n0\n")
        let processes = try await output(of: .make("sh", "-c", "grep -E '^Max processes' /proc/self/limits"))
        // Of a launcher with all capabilities, the group alone limits them. The slot counts as one process.
        let limits = processes.split(separator: " ")
        #expect(limits.contains("1025") || limits.contains("unlimited"), "\(processes)")
    }

    // MARK: Commands

    private struct Unexpected: Error {}

    private func failure(of command: SlotCommand) async throws -> SetupFailure? {
        try await withLauncher(slots: 1) { launcher in
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(command)
            guard case .failed(let failure) = await log.next() else { return nil }
            return failure
        }
    }

    private func output(of command: SlotCommand) async throws -> String {
        try await withLauncher(slots: 1) { launcher in
            let pipe = try TestPipe(nonBlocking: .reading)
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(command, into: pipe)
            let output = try await pipe.readToEnd()
            #expect(await log.end() != nil)
            return String(decoding: output, as: UTF8.self)
        }
    }

    /// Starts a script and returns once it has written something.
    @ReactorActor
    private func running(_ launcher: Launcher, _ script: String) async throws -> (Slot, ReportLog) {
        let pipe = try TestPipe(nonBlocking: .reading)
        let slot = try launcher.makeSlot()
        let log = ReportLog(slot)
        try slot.start(.make("sh", "-c", script), into: pipe)
        try await pipe.readSomething()
        #expect(await log.next().isStarted)
        return (slot, log)
    }
}
