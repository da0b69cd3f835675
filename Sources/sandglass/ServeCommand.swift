internal import ArgumentParser
internal import CLinux
internal import Glibc
internal import Sandbox

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
            Where to listen. Only loopback addresses are allowed, and port 0 takes a free port. \
            (default: 127.0.0.1:8080; environment: SANDGLASS_LISTEN)
            """,
            valueName: "address:port"
        )
    )
    var listen: ListenAddress?

    @Option(
        name: .customLong("data-directory"),
        help: ArgumentHelp(
            """
            Where runs and their output are remembered, over a restart too; it is made if need be, and one server at a \
            time may use it. (default: a temporary directory, removed at the end; environment: SANDGLASS_DATA_DIRECTORY)
            """,
            valueName: "directory"
        )
    )
    var dataDirectory: String?

    @Option(
        help: ArgumentHelp(
            """
            How many commands run at once; others wait in order. \
            (default: the number of processors; environment: SANDGLASS_CONCURRENCY)
            """,
            valueName: "number"
        )
    )
    var concurrency: Int?

    @OptionGroup var storage: StorageOptions

    @OptionGroup var log: LogOptions

    @OptionGroup var view: ViewOptions

    @Option(name: .customLong("require"), help: Requirements.help)
    var requirements: [Requirements] = []

    @Option(
        name: .customLong("image"),
        help: ArgumentHelp(
            """
            A root file system that runs may choose by its name, read-only; it may be repeated. \
            (environment: SANDGLASS_IMAGE, with commas between them)
            """,
            valueName: "name=path"
        )
    )
    var images: [String] = []

    @Flag(
        name: .customLong("allow-host-network"),
        help: """
            Let a run that asks for it use this machine's network, this server included. \
            (environment: SANDGLASS_ALLOW_HOST_NETWORK)
            """
    )
    var allowsHostNetwork = false

    func run() throws {
        let address = try Setting.value(listen, "SANDGLASS_LISTEN") ?? .standard
        guard address.isLoopback else {
            throw ValidationError(
                "\(address.host) can be reached from other machines, and this server cannot tell its users apart yet: "
                    + "listen on 127.0.0.1, ::1 or localhost, behind a proxy that can."
            )
        }
        let concurrency = try Setting.value(concurrency, "SANDGLASS_CONCURRENCY") ?? Self.processors
        guard (1...Server.maximumConcurrency).contains(concurrency) else {
            throw ValidationError("--concurrency must be from 1 to \(Server.maximumConcurrency), not \(concurrency).")
        }
        var sandbox = try view.configuration(images: Setting.list(images, "SANDGLASS_IMAGE", separator: ","))
        sandbox.allowsHostNetwork = try Setting.isOn(allowsHostNetwork, "SANDGLASS_ALLOW_HOST_NETWORK")
        let server = Server(
            address: address,
            dataDirectory: try Setting.value(dataDirectory, "SANDGLASS_DATA_DIRECTORY"),
            limits: try storage.limits(concurrency: concurrency),
            drain: try storage.drain(),
            durability: try storage.accepted(),
            retention: try storage.retention(),
            sandbox: sandbox,
            required: try Requirements.features(requirements),
            log: try log.settings()
        )
        server.run()
    }

    /// How many processors this process may use: `taskset` counts, so does a container's cpuset.
    private static var processors: Int {
        min(max(Int(sandglass_processor_count()), 1), Server.maximumConcurrency)
    }
}
