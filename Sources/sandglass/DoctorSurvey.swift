internal import Glibc
internal import Reactor
internal import Sandbox

/// The part of `sandglass doctor` that runs commands, on the reactor.
@Reactor
final class DoctorSurvey {
    private let session: DoctorSession
    private let facts: HostFacts
    private var launcher: Launcher?

    nonisolated init(_ session: DoctorSession, _ facts: HostFacts) {
        self.session = session
        self.facts = facts
    }

    func start(_ process: consuming LauncherProcess) async {
        let report: HostReport
        do throws(SetupFailure) {
            let launcher = try Launcher(process)
            self.launcher = launcher
            report = await launcher.survey(facts)
        } catch {
            report = HostReport(facts, failure: error)
        }
        launcher?.stop()
        session.finish(report)
    }

    /// A signal asks this program to stop.
    func stop(_ signal: Int32) -> Never {
        launcher?.stop()
        exit(128 + signal)
    }
}
