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
    let network: RunNetwork
    let required: Set<HostFeature>

    /// Runs the command and exits as it did.
    func run() -> Never {
        var signals = StopSignals([SIGHUP, SIGINT, SIGTERM])
        let process = SandboxStart.launcher(
            .host(slots: 1, scratchBytes: Limits().diskBytes, configuration: sandbox),
            required: required,
            .current(),
            orExitWith: ExitStatus.sandglassFailed
        )
        let run = SingleRun(self, enforcement: process.support.enforcement)
        let handover = LauncherHandover(process)
        Task { @Reactor in run.start(handover.take()) }
        while true {
            let signal = signals.next()
            Task { @Reactor in run.stop(signal) }
        }
    }
}
