import Glibc
import Reactor
import RunModel
import TestSupport
import Testing

@testable import SandglassRunner

/// Each test runs in a process of its own, because it counts the descriptors of its whole process.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct LeakTests {
    @Test func `runs leave no descriptor behind, whatever their outcome`() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_IGN)
            let runner = try await Runner.start(slots: 4)
            try await runEverything(runner)
            let before = OpenDescriptors.list()
            for _ in 0..<5 { try await runEverything(runner) }
            #expect(OpenDescriptors.list() == before)
            await runner.stop()
            #expect(!ChildProcesses.exist)
        }
    }

    @Test func `a runner leaves no descriptor and no process behind`() async {
        await #expect(processExitsWith: .success) {
            func startRunStop() async throws {
                let runner = try await Runner.start(slots: 2)
                _ = try await runner.run(["true"], timeout: .seconds(60))
                await runner.stop()
            }
            try await startRunStop()
            let before = OpenDescriptors.list()
            for _ in 0..<3 { try await startRunStop() }
            #expect(OpenDescriptors.list() == before)
            #expect(!ChildProcesses.exist)
        }
    }

    @Test func `a run that finds too few descriptors is refused, and the next one runs`() async {
        await #expect(processExitsWith: .success) {
            let runner = try await Runner.start(slots: 4)
            _ = try await runner.run(["true"], timeout: .seconds(60))
            // From too few for the slot's socket to enough for the whole run.
            for free in 0..<12 {
                let taken = takeAllDescriptors(but: free)
                _ = try? await runner.run(["true"], timeout: .seconds(60))
                for descriptor in taken { close(descriptor) }
                let run = try await runner.run(["true"], timeout: .seconds(60))
                #expect(run.outcome == .exited(code: 0))
            }
            await runner.stop()
        }
    }

    @Test func `a program that embeds a runner is not killed by a command that closes its input`() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_DFL)
            let runner = try await Runner.start(slots: 1)
            let input = [UInt8](repeating: 1, count: 1_000_000)
            // The command closes its input and lives long enough for the feed to notice.
            let run = try await runner.run(.script("exec <&-; sleep 0.2", standardInput: .bytes(input)))
            #expect(run.outcome == .exited(code: 0))
            await runner.stop()
        }
    }
}

/// Leaves this process exactly `free` descriptors that it may still open.
private func takeAllDescriptors(but free: Int) -> [Int32] {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = min(limit.rlim_cur, 256)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var taken: [Int32] = []
    while true {
        let descriptor = dup(0)
        guard descriptor >= 0 else { break }
        taken.append(descriptor)
    }
    for _ in 0..<free { close(taken.removeLast()) }
    return taken
}

/// Runs one command for every outcome, all at once.
private func runEverything(_ runner: Runner) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for specification in [
            RunSpecification.script("exit 3"), .script("kill -SEGV $$"),
            .script("exec sleep 1000", timeout: .milliseconds(20)),
            .script("setsid sleep 1000 & exec sleep 1000", timeout: .milliseconds(20), grace: .milliseconds(5)),
            .script("exec yes", outputBytes: 100, onOutputLimit: .kill),
            .script("exec <&-; exit 0", standardInput: .bytes([UInt8](repeating: 1, count: 200_000))),
            RunSpecification(command: ["/no/such/program"], standardInput: [1]),
        ] {
            group.addTask { _ = try await runner.run(specification) }
        }
        group.addTask {
            let cancelled = Task { try await runner.run(.script("exec sleep 1000")) }
            cancelled.cancel()
            _ = try await cancelled.value
        }
        try await group.waitForAll()
    }
}
