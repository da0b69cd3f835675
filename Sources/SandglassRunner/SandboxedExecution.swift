internal import Execution
internal import Reactor
internal import RunModel
internal import Sandbox
internal import System

/// The launcher behind a ``Runner``, and the runs that it serves, on the reactor's thread.
@ReactorActor
final class SandboxedExecution {
    /// A run that has ended, with its output.
    struct CompletedRun {
        let result: RunResult
        let standardOutput: CapturedOutput
        let standardError: CapturedOutput
    }

    /// The run of one task, so that cancelling the task can reach it.
    @ReactorActor
    private final class Handle {
        var execution: RunExecution?
    }

    private let launcher: Launcher

    private init(_ launcher: Launcher) {
        self.launcher = launcher
    }

    /// Forks the launcher, builds the sandbox, and tries it once.
    nonisolated static func start(slots: Int) async throws(Failure) -> SandboxedExecution {
        let process: LauncherProcess
        do {
            process = try LauncherProcess(.host(slots: slots, scratchBytes: Limits().diskBytes))
        } catch {
            throw Failure(error)
        }
        return try await adopt(process)
    }

    private static func adopt(_ process: consuming LauncherProcess) async throws(Failure) -> SandboxedExecution {
        let launcher: Launcher
        do throws(SetupFailure) {
            launcher = try Launcher(process)
        } catch {
            throw Failure(error)
        }
        if let failure = await launcher.probe() {
            launcher.stop()
            throw Failure(failure)
        }
        return SandboxedExecution(launcher)
    }

    /// Runs a command to its end.
    ///
    /// Cancelling the task cancels the run, and its outcome says so.
    func run(_ specification: RunSpecification) async throws(Failure) -> CompletedRun {
        let collector = OutputCollector()
        let handle = Handle()
        do {
            let result = try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    do {
                        handle.execution = try RunExecution(
                            specification,
                            on: launcher,
                            observer: RunExecution.Observer(
                                started: {},
                                output: { stream, part in collector.append(part, to: stream) },
                                ended: { result in continuation.resume(returning: result) }
                            )
                        )
                        if Task.isCancelled { handle.execution?.cancel() }
                    } catch {
                        continuation.resume(throwing: error)
                    }
                }
            } onCancel: {
                Task { @ReactorActor in handle.execution?.cancel() }
            }
            return CompletedRun(
                result: result,
                standardOutput: collector.captured(.standardOutput, totalBytes: result.outputBytes),
                standardError: collector.captured(.standardError, totalBytes: result.errorBytes)
            )
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(step: "run", errno: "EPROTO", detail: "\(error)")
        }
    }

    /// Ends every running command and the launcher.
    func stop() {
        launcher.stop()
    }
}
