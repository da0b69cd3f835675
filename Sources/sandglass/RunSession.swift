internal import Glibc
internal import Reactor
internal import Runs
internal import Sandbox

/// The life of `sandglass run`.
struct RunSession {
    let command: [String]
    let timeout: Duration
    let json: Bool
    let sandbox: SandboxConfiguration
    let image: String

    /// Runs the command and exits as it did.
    func run() -> Never {
        var signals = StopSignals([SIGHUP, SIGINT, SIGTERM])
        let process: LauncherProcess
        do throws(SetupFailure) {
            process = try LauncherProcess(.host(slots: 1, scratchBytes: Limits().diskBytes, configuration: sandbox))
        } catch {
            Diagnostics.say("sandglass: cannot build the sandbox: \(error)")
            exit(ExitStatus.sandglassFailed)
        }
        let run = SingleRun(self, enforcement: process.support.enforcement)
        let handover = LauncherHandover(process)
        Task { @Reactor in run.start(handover.take()) }
        while true {
            let signal = signals.next()
            Task { @Reactor in run.stop(signal) }
        }
    }
}
