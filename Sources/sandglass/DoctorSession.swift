internal import API
internal import Glibc
internal import Reactor
internal import Runs
internal import Sandbox

/// The life of `sandglass doctor`.
struct DoctorSession {
    let required: Set<HostFeature>
    let json: Bool

    /// Looks at this host, says what it has, and exits.
    func run() -> Never {
        var signals = StopSignals([SIGHUP, SIGINT, SIGTERM])
        let facts = HostFacts.current()
        let process: LauncherProcess
        do throws(SetupFailure) {
            process = try LauncherProcess(.trial(scratchBytes: Limits().diskBytes))
        } catch {
            finish(HostReport(facts, failure: error))
        }
        let survey = DoctorSurvey(self, facts)
        let handover = LauncherHandover(process)
        Task { @Reactor in await survey.start(handover.take()) }
        let signal = signals.next()
        Task { @Reactor in survey.stop(signal) }
        while true { pause() }
    }

    /// Says it.
    func finish(_ report: HostReport) -> Never {
        let missing = report.missing(of: required)
        let document = HostReportDocument(report: report, required: required)
        // Nobody listens to a reader that is gone.
        let bytes = json ? document.json : Array(document.text.utf8)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        exit(missing.isEmpty ? 0 : 1)
    }
}
