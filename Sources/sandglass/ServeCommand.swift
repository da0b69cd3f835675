internal import ArgumentParser
internal import Settings

/// `sandglass serve`.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the HTTP API.",
        discussion: """
            Prints "listening on http://ADDRESS:PORT" to standard error when it accepts connections. \
            SIGTERM or SIGINT stops it: what runs may go on for --drain-seconds and is cancelled then, every waiting client is \
            answered, and what waits for its turn is run after the next start if there is a --data-directory. A second signal \
            does not wait.
            """
    )

    @Option(
        help: ArgumentHelp(
            """
            A file of settings: a JSON object with the names below in camelCase, such as {"dataDirectory": "/srv/runs"}. \
            A flag counts before a variable of the environment, and that before the file. (environment: SANDGLASS_CONFIG)
            """,
            valueName: "file"
        )
    )
    var config: String?

    @OptionGroup(title: "Who may reach it") var front: FrontOptions
    @OptionGroup(title: "What a client may cost") var http: HTTPOptions
    @OptionGroup(title: "What runs at once") var queue: QueueOptions
    @OptionGroup(title: "What a run may ask for") var limits: LimitOptions
    @OptionGroup(title: "What is remembered") var store: StoreOptions
    @OptionGroup(title: "What commands see and what holds them") var sandbox: SandboxOptions
    @OptionGroup(title: "What is said of it") var log: LogOptions

    func run() throws {
        let flags = SettingFlags.values(front, http, queue, limits, store, sandbox, log)
        let configuration = try ProgramSettings.read { () throws(SettingError) in
            try ServeConfiguration(try ProgramSettings.server(flags: flags, file: config))
        }
        Server(configuration: configuration).run()
    }
}
