internal import ArgumentParser
internal import Sandbox

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

    @Option(name: .customLong("require"), help: Requirements.help)
    var requirements: [Requirements] = []

    @Flag(help: "Print a JSON object. (environment: SANDGLASS_JSON)")
    var json = false

    func run() throws {
        let required = try Requirements.features(requirements)
        DoctorSession(
            required: required.union(HostFeature.indispensable),
            json: try Setting.isOn(json, "SANDGLASS_JSON")
        ).run()
    }
}
