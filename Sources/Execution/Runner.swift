public import Reactor
public import Runs
internal import Sandbox

/// Runs commands for a Swift program: apart from it, under a time limit, with the truth about how they ended.
///
/// ```swift
/// let runner = try await Runner.start()
/// let run = try await runner.run(["/bin/echo", "hello"], timeout: .seconds(1))
/// // run.outcome == .exited(code: 0)
/// await runner.stop()
/// ```
///
/// A command that fails is a result and not a thrown error: look at the ``Runs/Outcome``. An error means that the sandbox
/// itself could not be had.
@Reactor
public final class Runner {
    private let launcher: Launcher

    private init(_ launcher: Launcher) {
        self.launcher = launcher
    }

    /// Forks the launcher, builds the sandbox, and tries it once.
    ///
    /// Best called early, while the program is small: every sandbox is a fork of a fork of it.
    ///
    /// - Parameter slots: how many commands may run at once, 1 to 8192; further ones wait.
    /// - Returns: a runner that is ready for commands.
    /// - Throws: why no sandbox can be made.
    public nonisolated static func start(slots: Int = 64) async throws(Failure) -> Runner {
        let process: LauncherProcess
        do {
            process = try LauncherProcess(.host(slots: slots, scratchBytes: Limits().diskBytes))
        } catch {
            throw Failure(error)
        }
        return try await adopt(process)
    }

    private static func adopt(_ process: consuming LauncherProcess) async throws(Failure) -> Runner {
        let launcher: Launcher
        do throws(SetupFailure) {
            launcher = try Launcher(process)
        } catch {
            throw Failure(error)
        }
        if let failure = await launcher.probeOnce() {
            launcher.stop()
            throw Failure(failure)
        }
        return Runner(launcher)
    }

    /// Runs a command with the default limits.
    ///
    /// - Parameters:
    ///   - command: argv. A first element without a slash is looked up in the sandbox's `PATH`.
    ///   - timeout: wall-clock limit, from the command's exec.
    /// - Returns: how it ended, and what it wrote.
    /// - Throws: why it got no sandbox.
    public func run(_ command: [String], timeout: Duration) async throws(Failure) -> CompletedRun {
        var limits = Limits()
        limits.timeout = timeout
        return try await run(RunSpecification(command: command, limits: limits))
    }

    /// Runs a command.
    ///
    /// Cancelling the task cancels the run; its outcome says so.
    public func run(_ specification: RunSpecification) async throws(Failure) -> CompletedRun {
        let collector = OutputCollector()
        let started = RunningCommand()
        do {
            let conclusion = try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    do {
                        started.execution = try Execution(
                            specification,
                            on: launcher,
                            observer: Execution.Observer(
                                started: {},
                                output: { stream, part in collector.append(part, to: stream) },
                                ended: { conclusion in continuation.resume(returning: conclusion) }
                            )
                        )
                        if Task.isCancelled { started.execution?.cancel() }
                    } catch {
                        continuation.resume(throwing: error)
                    }
                }
            } onCancel: {
                Task { @Reactor in started.execution?.cancel() }
            }
            return CompletedRun(
                outcome: conclusion.outcome,
                usage: conclusion.usage,
                standardOutput: collector.captured(.standardOutput, totalBytes: conclusion.outputBytes),
                standardError: collector.captured(.standardError, totalBytes: conclusion.errorBytes)
            )
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(step: "run", errno: "EPROTO", detail: "\(error)")
        }
    }

    /// Ends every command that still runs, and the launcher.
    public func stop() {
        launcher.stop()
    }
}
