internal import ArgumentParser
internal import Settings

/// `sandglass serve`.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the HTTP API.",
        discussion: """
            The server prints "listening on http://ADDRESS:PORT" to standard error when it accepts connections.

            SIGTERM or SIGINT stops it. Running commands may continue for --drain-seconds and are then cancelled, and \
            every waiting client gets a response. With a --data-directory, queued runs stay queued for the next start \
            of the server. A second signal stops the server immediately.

            Flags take precedence over environment variables, and those over the configuration file.
            """
    )

    @Option(
        help: ArgumentHelp(
            """
            Read settings from this file: a JSON object with the names of the options in camelCase, such as \
            {"dataDirectory": "/srv/runs"}. (environment: SANDGLASS_CONFIG)
            """,
            valueName: "file"
        )
    )
    var config: String?

    @OptionGroup(title: NetworkSettings.title) var network: SettingOptions<NetworkSettings>
    @OptionGroup(title: ConnectionSettings.title) var connections: SettingOptions<ConnectionSettings>
    @OptionGroup(title: QueueSettings.title) var queue: SettingOptions<QueueSettings>
    @OptionGroup(title: LimitSettings.title) var limits: SettingOptions<LimitSettings>
    @OptionGroup(title: StorageSettings.title) var storage: SettingOptions<StorageSettings>
    @OptionGroup(title: SandboxSettings.title) var sandbox: SettingOptions<SandboxSettings>
    @OptionGroup(title: LogSettings.title) var log: SettingOptions<LogSettings>

    func run() throws {
        let groups = [
            network.values, connections.values, queue.values, limits.values, storage.values, sandbox.values, log.values,
        ]
        let flags = groups.reduce(into: [:]) { all, group in all.merge(group) { first, _ in first } }
        let configuration = try ProgramSettings.read { () throws(SettingError) in
            try ServeConfiguration(try ProgramSettings.server(flags: flags, file: config))
        }
        ServeSession(configuration: configuration).run()
    }
}
