internal import API
internal import Glibc
internal import HTTPServer
internal import Logging
internal import Reactor
internal import Runs
internal import Sandbox
internal import Service
internal import Settings
internal import Store

/// The life of `sandglass serve`: put together, run, taken apart in the opposite order.
struct Server {
    /// Slots are numbered up to 8192, and some are still being torn down while others start.
    static let maximumConcurrency = 4096

    /// Descriptors of a run while it is started: the control socket, both ends of three pipes, the command, two files.
    private static let descriptorsPerRun = 12
    /// Descriptors of the service itself, with some to spare for answers that are files.
    private static let ownDescriptors = 64 + BlobLimits().uploads
    private static let fewestConnections = 16

    let configuration: ServeConfiguration
    let metrics = ServerMetrics()

    /// Serves until it is told to stop.
    func run() -> Never {
        var signals = StopSignals([SIGINT, SIGTERM, SIGHUP])
        let logger = configuration.log.logger
        let concurrency = configuration.limits.concurrency
        // First of all: now the process is small and has no other thread.
        let facts = HostFacts.current()
        let slots = min(max(concurrency * 2, concurrency + 64), SandboxPolicy.maximumSlots)
        let launcher = SandboxStart.launcher(
            .host(slots: slots, scratchBytes: Limits().diskBytes, configuration: configuration.sandbox),
            required: configuration.required,
            facts,
            orExitWith: 1
        )
        let connections = Self.raiseDescriptorLimit() - Self.ownDescriptors - concurrency * Self.descriptorsPerRun
        guard connections >= Self.fewestConnections else {
            let needed = Self.ownDescriptors + concurrency * Self.descriptorsPerRun + Self.fewestConnections
            Diagnostics.say(
                "sandglass: \(concurrency) runs at once need \(needed) descriptors; allow more (ulimit -n \(needed)) "
                    + "or choose a smaller --concurrency"
            )
            exit(1)
        }
        // Like the launcher, above the commands: only root may, and without it everything works, later under load.
        let everything = __priority_which_t(PRIO_PROCESS.rawValue)
        setpriority(everything, 0, getpriority(everything, 0) - 10)

        var http = configuration.http
        if configuration.limitsConnections, http.maximumConnections > connections {
            let needed = http.maximumConnections + Self.ownDescriptors + concurrency * Self.descriptorsPerRun
            Diagnostics.say(
                "sandglass: \(http.maximumConnections) connections need \(needed) descriptors; allow more "
                    + "(ulimit -n \(needed)) or choose a smaller --max-connections"
            )
            exit(1)
        }
        http.maximumConnections = min(http.maximumConnections, connections)
        // While the files can be read: whom the server becomes may not.
        http.tls = Self.orExit { () throws(SettingError) in try configuration.tlsFiles?.read() }
        let tokens = TokenSource(path: configuration.tokensPath)
        let tokenFile = Self.orExit { () throws(SettingError) in try tokens?.read() }
        let store = openStore()
        let parts = ServerParts(configuration, http, tokens, tokenFile, metrics, logger)
        start(parts, launcher, facts, store, logger)
        var isStopping = false
        while true {
            switch signals.next() {
            case SIGHUP: Task { @Reactor in parts.reload() }
            case let signal where !isStopping:
                isStopping = true
                logger.info("stopping", metadata: ["signal": "\(signal)"])
                Task { @Reactor in parts.stop() }
            default: Task { @Reactor in parts.stopNow() }
            }
        }
    }

    private func start(
        _ parts: ServerParts,
        _ launcher: consuming LauncherProcess,
        _ facts: HostFacts,
        _ store: sending RunStore,
        _ logger: Logger
    ) {
        let handover = LauncherHandover(launcher)
        Task { @Reactor in
            do {
                try await parts.start(handover.take(), facts, store)
                Diagnostics.say("listening on \(parts.url)")
                ServiceNotification.ready()
                if parts.recovered != (0, 0) {
                    logger.notice(
                        "an earlier server left runs behind",
                        metadata: ["queued": "\(parts.recovered.queued)", "lost": "\(parts.recovered.lost)"]
                    )
                }
                for gap in parts.gaps {
                    // Nothing that may be required: good to know.
                    let isWall = gap.features.contains(where: Requirement.isolation.features.contains)
                    logger.log(level: isWall ? .warning : .notice, "\(gap)")
                }
                logger.info("started", metadata: started(at: parts.url, without: parts.gaps))
            } catch {
                Diagnostics.say("sandglass: cannot start: \(error)")
                parts.exitProcess(status: 1)
            }
        }
    }

    /// What an operator wants to find in an old log.
    private func started(at url: String, without gaps: [Gap]) -> Logger.Metadata {
        let missing = Set(gaps.flatMap(\.features))
        let walls = Requirement.isolation.features.subtracting(missing).map(\.rawValue).sorted()
        return [
            "version": "\(Sandglass.version)",
            "address": "\(url)",
            "data": "\(configuration.dataDirectory ?? "temporary")",
            "concurrency": .stringConvertible(configuration.limits.concurrency),
            "walls": "\(walls.joined(separator: ","))",
        ]
    }

    /// Opens the data directory while the server may still open any, and gives up what it is not needed for any more.
    private func openStore() -> RunStore {
        do {
            let user = Privileges.serviceUser
            let directory =
                if let path = configuration.dataDirectory {
                    try DataDirectory(path: path)
                } else {
                    try DataDirectory(temporaryIn: Self.temporaryFolder, orOwnedBy: user)
                }
            if let user { try directory.give(to: user) }
            let store = try RunStore(
                directory,
                durability: configuration.durability,
                retention: configuration.retention,
                blobLimits: configuration.blobLimits,
                metrics: metrics.store
            )
            try Privileges.drop()
            return store
        } catch {
            Diagnostics.say("sandglass: cannot start: \(error)")
            exit(1)
        }
    }

    /// A descriptor for each end of each pipe: the usual soft limit of 1024 is for programs that use select(2).
    ///
    /// - Returns: how many there may be.
    private static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    private static var temporaryFolder: String {
        guard let path = getenv("TMPDIR"), path.pointee != 0 else { return "/tmp" }
        return String(cString: path)
    }

    /// What is wrong with a file that was named at the start ends the start.
    private static func orExit<Value>(_ body: () throws(SettingError) -> Value) -> Value {
        do throws(SettingError) {
            return try body()
        } catch {
            Diagnostics.say("sandglass: cannot start: \(error)")
            exit(1)
        }
    }
}
