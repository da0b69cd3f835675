import Glibc
import Reactor
import TestSupport
import Testing

@testable import Sandbox

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct LauncherTests {
    @Test func `every slot starts its command and then reports its end`() async throws {
        try await withLauncher(slots: 4) { launcher in
            let logs = try (0..<4).map { code in
                let slot = try launcher.makeSlot()
                let log = ReportLog(slot)
                try slot.start(.make("sh", "-c", "exit \(code)"))
                return log
            }
            for (code, log) in logs.enumerated() {
                #expect(await log.next().isStarted)
                #expect(await log.end()?.waitStatus == Int32(code) << 8)
            }
        }
    }

    @Test func `slots beyond the maximum wait, and start in order`() async throws {
        try await withLauncher(slots: 1) { launcher in
            let pipe = try TestPipe(nonBlocking: .reading)
            var slots: [Slot] = []
            var logs: [ReportLog] = []
            for name in ["a", "b", "c"] {
                let slot = try launcher.makeSlot()
                slots.append(slot)
                logs.append(ReportLog(slot))
                try slot.start(.make("echo", name), streams: [pipe.reading, pipe.writing, pipe.writing])
            }
            #expect(launcher.liveSlots == 1)
            #expect(slots.map(\.number) == [0, nil, nil])
            for log in logs { #expect(await log.end()?.waitStatus == 0) }
            pipe.closeWriteEnd()
            #expect(try await pipe.readToEnd() == Array("a\nb\nc\n".utf8))
            #expect(slots.map(\.number) == [0, 0, 0])
        }
    }

    @Test func `a slot's number is reused`() async throws {
        try await withLauncher(slots: 2) { launcher in
            for _ in 0..<20 {
                let slot = try launcher.makeSlot()
                let log = ReportLog(slot)
                try slot.start(.make("true"))
                #expect(await log.end()?.waitStatus == 0)
                #expect(try #require(slot.number) < 2)
            }
        }
    }

    @Test func `concurrent slots have different numbers`() async throws {
        try await withLauncher(slots: 8) { launcher in
            let slots = try (0..<8).map { _ in try launcher.makeSlot() }
            #expect(Set(slots.compactMap(\.number)) == Set(0..<8))
        }
    }

    @Test func `a slot on the host's network is refused unless the policy allows it`() async throws {
        try await withLauncher(slots: 1) { launcher in
            for _ in 0..<2 {
                let log = ReportLog(try launcher.makeSlot(sharesNetwork: true))
                guard case .failed(let failure) = await log.next() else {
                    Issue.record("the slot was created")
                    return
                }
                #expect(failure == SetupFailure(step: .network, number: EPERM))
            }
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(.make("true"))
            #expect(await log.end()?.waitStatus == 0)
        }
    }

    @Test func `an image that the policy lacks is refused`() async throws {
        try await withLauncher { launcher in
            let failure = SetupFailure(step: .image, number: ENOENT)
            #expect(throws: failure) { try launcher.makeSlot(image: "none") }
        }
    }

    @Test func `a probe builds a whole sandbox and reports no failure`() async throws {
        try await withLauncher { launcher in
            #expect(await launcher.probe() == nil)
        }
    }

    @Test func `a probe reports the step that fails`() async throws {
        // There is no /proc directory to mount a procfs on.
        let policy = SandboxPolicy(
            entries: [.directory("/box")],
            hostUsers: .serviceUser,
            slots: 1,
            scratchBytes: 1 << 20
        )
        let failure: SetupFailure?
        do {
            failure = try await withLauncher(policy: policy) { await $0.probe() }
        } catch let error as SetupFailure {
            // An ordinary user's launcher itself needs the directory.
            failure = error
        }
        #expect(failure?.number == ENOENT)
    }

    @Test func `when the launcher is killed, its slots vanish and onLoss is called once`() async throws {
        let process = try LauncherProcess(.host(slots: 2, scratchBytes: 1 << 20))
        let pid = process.pid
        try await lose(process) { kill(pid, SIGKILL) }
    }

    @ReactorActor
    private func lose(_ process: consuming LauncherProcess, by killing: () -> Void) async throws {
        let launcher = try Launcher(process)
        var losses = 0
        var vanished: [Int] = []
        let pipe = try TestPipe(nonBlocking: .reading)
        let slots = try (0..<3).map { index in
            let slot = try launcher.makeSlot()
            slot.onReport = { if $0 == .vanished { vanished.append(index) } }
            return slot
        }
        try slots[0].start(.make("sleep", "1000"), into: pipe)
        await withCheckedContinuation { continuation in
            launcher.onLoss = {
                losses += 1
                continuation.resume()
            }
            killing()
        }
        #expect(losses == 1)
        #expect(vanished.sorted() == [0, 1, 2])
        #expect(!launcher.isRunning)
        #expect(launcher.liveSlots == 0)
        #expect(throws: SetupFailure(step: .launcher, number: EPIPE)) { _ = try launcher.makeSlot() }
        // The command has died with the launcher, so no process has the pipe open.
        #expect(try await pipe.readToEnd() == [])
        launcher.stop()
        #expect(losses == 1)
    }

    @Test func `stopping ends every slot and its processes, and does not call onLoss`() async throws {
        try await withLauncher(slots: 1) { launcher in
            launcher.onLoss = { Issue.record("onLoss was called") }
            let pipe = try TestPipe(nonBlocking: .reading)
            let (running, waiting) = (try launcher.makeSlot(), try launcher.makeSlot())
            let (first, second) = (ReportLog(running), ReportLog(waiting))
            try running.start(.make("sh", "-c", "setsid sleep 1000 & wait"), into: pipe)
            #expect(await first.next().isStarted)
            launcher.stop()
            #expect(pipe.hasNoWriter)
            #expect(await first.next() == .vanished)
            #expect(await second.next() == .vanished)
            launcher.stop()
        }
    }

    @Test func `a slot from a launcher that has just died is refused or vanishes`() async throws {
        let process = try LauncherProcess(.host(slots: 1, scratchBytes: 1 << 20))
        let pid = process.pid
        try await makeSlotAfterDeath(process, pid)
    }

    @ReactorActor
    private func makeSlotAfterDeath(_ process: consuming LauncherProcess, _ pid: pid_t) async throws {
        let launcher = try Launcher(process)
        kill(pid, SIGKILL)
        ChildProcesses.awaitDeath(of: pid)
        // The reactor does not know yet, because this code runs on the reactor's thread.
        guard let slot = try? launcher.makeSlot() else { return }
        let log = ReportLog(slot)
        slot.destroy()
        #expect(launcher.isRunning || log.count == 1)
        launcher.stop()
    }
}
