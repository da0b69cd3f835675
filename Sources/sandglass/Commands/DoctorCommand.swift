internal import ArgumentParser
internal import Glibc
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Sandbox
internal import Server
internal import Settings
internal import System

/// `sandglass doctor`.
struct DoctorCommand: ParsableCommand {
    struct Options: SettingGroup {
        static let title = ""

        let require = ServeSetting.sandbox.require
        let json = CommandSetting.json
    }

    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Show which protections this host supports, which are missing, and how to get them.",
        discussion: """
            The doctor builds the sandbox as the service does, and runs commands in it that try to break each \
            protection.

            Exit status: 0 if all required protections work, 1 if one is missing. Without --require, the doctor \
            requires the protections without which the service cannot start.
            """
    )

    @OptionGroup var options: SettingOptions<Options>

    func run() throws {
        let (required, json) = try ProgramSettings.read { () throws(SettingError) in
            let sources = try ProgramSettings.command(flags: options.values)
            return (try ServeSetting.sandbox.required(sources), try sources.value(CommandSetting.json))
        }
        DoctorSession(required: required.union(HostFeature.indispensable), json: json).run()
    }
}

/// The lifetime of `sandglass doctor`.
private struct DoctorSession {
    let required: Set<HostFeature>
    let json: Bool

    /// Examines this host, prints the report, and exits.
    func run() -> Never {
        var signals = SignalWaiter([SIGHUP, SIGINT, SIGTERM])
        let host = HostInfo.current()
        let process: LauncherProcess
        do throws(SetupFailure) {
            process = try LauncherProcess(.hostProbe(scratchBytes: Limits().diskBytes))
        } catch {
            finish(HostReport(host, failure: error))
        }
        let survey = DoctorSurvey(self, host)
        let transfer = UnsafeTransfer(process)
        Task { @ReactorActor in await survey.start(transfer.take()) }
        let signal = signals.next()
        Task { @ReactorActor in survey.stop(signal) }
        while true { pause() }
    }

    /// Prints the report and exits.
    func finish(_ report: HostReport) -> Never {
        let missing = report.missing(of: required)
        let document = HostReportDocument(report: report, required: required)
        let bytes = json ? document.json : Array(document.text.utf8)
        // The exit status matters even if the reader of the output is gone.
        try? FileIO.writeAll(bytes, to: STDOUT_FILENO)
        exit(missing.isEmpty ? 0 : 1)
    }
}

/// The part of `sandglass doctor` that runs commands, on the reactor.
@ReactorActor
private final class DoctorSurvey {
    private let session: DoctorSession
    private let host: HostInfo
    private var launcher: Launcher?

    nonisolated init(_ session: DoctorSession, _ host: HostInfo) {
        self.session = session
        self.host = host
    }

    func start(_ process: consuming LauncherProcess) async {
        let report: HostReport
        do throws(SetupFailure) {
            let launcher = try Launcher(process)
            self.launcher = launcher
            report = await launcher.survey(host)
        } catch {
            report = HostReport(host, failure: error)
        }
        launcher?.stop()
        session.finish(report)
    }

    /// Stops the launcher and exits because of a signal.
    func stop(_ signal: Int32) -> Never {
        launcher?.stop()
        exit(128 + signal)
    }
}

extension HostReportDocument {
    /// Creates the document of a host report.
    ///
    /// - Parameters:
    ///   - report: The report on the host.
    ///   - required: The features that the host must have.
    fileprivate init(report: HostReport, required: Set<HostFeature>) {
        self.init(
            kernel: report.host.kernel,
            container: report.host.container,
            enforcement: report.support?.enforcement,
            findings: report.findings.map { finding in
                let state: Finding.State =
                    switch finding.state {
                    case .present: .present
                    case .missing: .missing
                    case .unknown: .unknown
                    }
                return Finding(feature: finding.feature.rawValue, state: state, detail: finding.detail)
            },
            gaps: report.gaps.map(GapDocument.init),
            required: HostFeature.allCases.filter(required.contains).map(\.rawValue),
            missing: report.missing(of: required).map(\.rawValue),
            hiddenTargets: HiddenTargets.ofThisHost().map { ($0.link, $0.target) }
        )
    }
}
