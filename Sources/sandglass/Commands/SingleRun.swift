internal import CLinux
internal import Client
internal import Execution
internal import Glibc
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Sandbox
internal import Service
internal import System

/// The run of `sandglass run`, on the reactor.
@ReactorActor
final class SingleRun {
    private let session: RunSession
    private let specification: RunSpecification
    private var artifacts: LocalArtifacts?
    private var run: Run
    private var launcher: Launcher?
    private var execution: RunExecution?
    private var relays: [OutputStream: OutputRelay] = [:]
    private var input: InputRelay?
    private let collector: OutputCollector
    private var stopSignal: Int32?
    /// The message about an artifact that could not be saved.
    private var artifactFailure: String?

    nonisolated init(_ session: RunSession, enforcement: Enforcement) {
        self.session = session
        specification = session.local.specification
        var ids = RunIDGenerator()
        run = Run(
            id: ids.next(now: .now),
            specification: specification,
            enforcement: enforcement.receipt(of: specification),
            createdAt: .now
        )
        collector = OutputCollector(keeping: specification.keepOutput, limit: specification.limits.outputBytes)
    }

    func start(_ process: consuming LauncherProcess) {
        do {
            let launcher = try Launcher(process)
            self.launcher = launcher
            if !session.json {
                relays[.standardOutput] = OutputRelay(to: STDOUT_FILENO) { [weak self] in
                    self?.execution?.resume(.standardOutput)
                }
                relays[.standardError] = OutputRelay(to: STDERR_FILENO) { [weak self] in
                    self?.execution?.resume(.standardError)
                }
            }
            let (input, pipe) = try InputRelay.make(from: session.local.standardInput)
            self.input = input
            if !specification.artifacts.isEmpty {
                artifacts = try LocalArtifacts(in: session.local.outputDirectory, specification.artifacts)
            }
            execution = try RunExecution(
                specification,
                on: launcher,
                input: .pipe(pipe),
                blob: { [session] in session.local.blobs[$0] },
                observer: observer
            )
        } catch {
            Diagnostics.print("sandglass: \(error)")
            launcher?.stop()
            exit(ExitStatus.sandglassFailed)
        }
    }

    /// Cancels the command because of a signal.
    ///
    /// The program exits after the command has ended.
    func stop(_ signal: Int32) {
        stopSignal = signal
        guard let execution else { exit(128 + signal) }
        execution.cancel()
    }

    private var observer: RunExecution.Observer {
        RunExecution.Observer(
            started: { [self] in run.commandStarted(at: .now) },
            output: { [self] stream, part in
                relays[stream]?.take(part) ?? collector.append(part, to: stream)
            },
            ended: { [self] result in collectArtifacts(result) }
        )
    }

    private func collectArtifacts(_ result: RunResult) {
        guard let artifacts else { return finish(result, .none) }
        guard let files = result.sandboxFiles else {
            artifacts.close()
            return finish(result, ArtifactCollector.artifactsOfLostSandbox(result.outcome))
        }
        artifacts.save(files, specification.artifacts, of: run.id) { [self] saved, failure in
            artifactFailure = failure
            finish(result, saved)
        }
    }

    private func finish(_ result: RunResult, _ artifacts: CollectedArtifacts) {
        input?.finish()
        launcher?.stop()
        let outcome = result.outcome
        run.finish(Run.Result(outcome: outcome, usage: result.usage, finishedAt: .now, artifacts: artifacts))
        run.standardOutput = collector.captured(.standardOutput, totalBytes: result.outputBytes)
        run.standardError = collector.captured(.standardError, totalBytes: result.errorBytes)
        if session.json {
            let document = OutputRelay(to: STDOUT_FILENO) {}
            RunDocument.render(run).withUnsafeBytes { _ = document.take($0) }
            document.finish()
            relays = [.standardOutput: document]
        } else {
            for relay in relays.values { relay.finish() }
            if let message = OutcomeMessage.text(outcome, stopSignal: stopSignal) {
                Diagnostics.print("sandglass: \(specification.command[0]): \(message)")
            }
        }
        for (stream, relay) in relays {
            guard let failure = relay.failure else { continue }
            Diagnostics.print("sandglass: \(stream.rawValue): \(SystemError.meaning(of: failure.number))")
            exit(ExitStatus.sandglassFailed)
        }
        for omitted in artifacts.omitted {
            Diagnostics.print("sandglass: \(TerminalText.escaped("\(omitted.path) was not kept: \(omitted.detail)"))")
        }
        if let artifactFailure {
            Diagnostics.print("sandglass: \(artifactFailure)")
            exit(ExitStatus.sandglassFailed)
        }
        exit(ExitStatus.status(of: outcome, stopSignal: stopSignal))
    }
}
