internal import API
internal import CLinux
internal import Execution
internal import Glibc
internal import Reactor
internal import Runs
internal import Sandbox

/// The one run of `sandglass run`, on the reactor.
@Reactor
final class SingleRun {
    private let session: RunSession
    private var specification: RunSpecification
    private var run: Run
    private var launcher: Launcher?
    private var execution: Execution?
    private var relays: [OutputStream: OutputRelay] = [:]
    private var input: InputRelay?
    private let collector: OutputCollector
    private var stopSignal: Int32?

    nonisolated init(_ session: RunSession, enforcement: Enforcement) {
        self.session = session
        var specification = RunSpecification(command: session.command, image: session.image, network: session.network)
        specification.limits.timeout = session.timeout
        specification.limits.usualProcessors = max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 2)
        // What is passed through is not kept.
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
            run.becomeRunning()
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
            execution = try Execution(specification, on: launcher, input: .pipe(pipe), observer: observer)
        } catch {
            Diagnostics.say("sandglass: \(error)")
            launcher?.stop()
            exit(ExitStatus.sandglassFailed)
        }
    }

    /// A signal asks this program to stop: the command is stopped first.
    func stop(_ signal: Int32) {
        stopSignal = signal
        guard let execution else { exit(128 + signal) }
        execution.cancel()
    }

    private var observer: Execution.Observer {
        Execution.Observer(
            started: { [self] in run.commandStarted(at: .now) },
            output: { [self] stream, part in
                relays[stream]?.take(part) ?? collector.append(part, to: stream)
            },
            ended: { [self] conclusion in finish(conclusion) }
        )
    }

    private func finish(_ conclusion: Conclusion) {
        input?.finish()
        launcher?.stop()
        let outcome = conclusion.outcome
        run.finish(Run.Result(outcome: outcome, usage: conclusion.usage, finishedAt: .now))
        run.standardOutput = collector.captured(.standardOutput, totalBytes: conclusion.outputBytes)
        run.standardError = collector.captured(.standardError, totalBytes: conclusion.errorBytes)
        if session.json {
            let document = OutputRelay(to: STDOUT_FILENO) {}
            RunDocument.render(run).withUnsafeBytes { _ = document.take($0) }
            document.finish()
            relays = [.standardOutput: document]
        } else {
            for relay in relays.values { relay.finish() }
            if let note = OutcomeNote.text(outcome, stopSignal: stopSignal) {
                Diagnostics.say("sandglass: \(session.command[0]): \(note)")
            }
        }
        for (stream, relay) in relays {
            guard let failure = relay.failure else { continue }
            Diagnostics.say("sandglass: \(stream.rawValue): \(SystemError.meaning(of: failure.number))")
            exit(ExitStatus.sandglassFailed)
        }
        exit(ExitStatus.status(of: outcome, stopSignal: stopSignal))
    }
}
