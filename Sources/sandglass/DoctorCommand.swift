internal import ArgumentParser
internal import Sandbox
internal import Settings

/// `sandglass doctor`.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Say what this host offers a sandbox, what it lacks, and how to close the gaps.",
        discussion: """
            It builds the sandbox as the service does, and has commands in it try to get past each wall.

            Exit status: 0 if all that is required is there, 1 if something is missing. Without --require that is what the \
            service cannot start without.
            """
    )

    @Option(help: .setting(SandboxSetting.require)) var require: [String] = []
    @Flag(inversion: .prefixedNo, help: .setting(RunSetting.json)) var json: Bool?

    func run() throws {
        let flags = SettingFlags.values(self)
        let (required, json) = try ProgramSettings.read { () throws(SettingError) in
            let sources = try ProgramSettings.command(flags: flags)
            return (try SandboxSetting.required(sources), try sources.value(RunSetting.json) ?? false)
        }
        DoctorSession(required: required.union(HostFeature.indispensable), json: json).run()
    }
}
