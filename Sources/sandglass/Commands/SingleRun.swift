internal import CLinux
internal import Execution
internal import Glibc
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Sandbox
internal import System

/// The run of `sandglass run`, on the reactor.
@ReactorActor
final class SingleRun {
    private let session: RunSession
    private var specification: RunSpecification
    private var run: Run
    private var launcher: Launcher?
    private var execution: RunExecution?
    private var relays: [OutputStream: OutputRelay] = [:]
    private var input: InputRelay?
    private let collector: OutputCollector
    private var stopSignal: Int32?

    nonisolated init(_ session: RunSession, enforcement: Enforcement) {
        self.session = session
        var specification = RunSpecification(command: session.command, image: session.image, network: session.network)
        specification.limits.timeout = session.timeout
        specification.limits.defaultProcessors = max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 2)
        // Output that is passed through is not stored, so it needs no limit.
        if !session.json { specification.limits.outputBytes = .max }
        self.specification = specification
        var ids = RunIDGenerator()
        run = Run(
            id: ids.next(now: .now),
            specification: specification,
            enforcement: enforcement.with(session.network),
            createdAt: .now
        )
        collector = OutputCollector()
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
            let (input, pipe) = try InputRelay.make(from: STDIN_FILENO)
            self.input = input
            execution = try RunExecution(specification, on: launcher, input: .pipe(pipe), observer: observer)
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
            ended: { [self] result in finish(result) }
        )
    }

    private func finish(_ result: RunResult) {
        input?.finish()
        launcher?.stop()
        let outcome = result.outcome
        run.finish(Run.Result(outcome: outcome, usage: result.usage, finishedAt: .now))
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
                Diagnostics.print("sandglass: \(session.command[0]): \(message)")
            }
        }
        for (stream, relay) in relays {
            guard let failure = relay.failure else { continue }
            Diagnostics.print("sandglass: \(stream.rawValue): \(SystemError.meaning(of: failure.number))")
            exit(ExitStatus.sandglassFailed)
        }
        exit(ExitStatus.status(of: outcome, stopSignal: stopSignal))
    }
}
