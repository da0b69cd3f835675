internal import API
internal import Execution
internal import Glibc
internal import HTTPServer
internal import Identity
internal import Logging
internal import Reactor
internal import Runs
internal import Sandbox
internal import Service
internal import Settings
internal import Store

/// What a running server consists of.
@Reactor
final class ServerParts {
    /// Each takes some 200 KiB.
    ///
    /// More than that many runs do not end within the time that it takes to make one.
    private static let mostSpares = 16
    /// How long answers may take to leave once nothing runs any more.
    private static let lastAnswers = Duration.milliseconds(100)

    private var launcher: Launcher?
    private var store: RunStore?
    private var service: RunService?
    private var api: APIServer?
    private var exitStatus: Int32 = 0
    private let configuration: ServeConfiguration
    private let http: HTTPServerConfiguration
    private let tokens: TokenSource?
    /// As it was read last.
    private var tokenFile: TokenFile?
    private var tokenWatch: Watch?
    private let metrics: ServerMetrics
    private let logger: Logger

    nonisolated init(
        _ configuration: ServeConfiguration,
        _ http: HTTPServerConfiguration,
        _ tokens: TokenSource?,
        _ tokenFile: TokenFile?,
        _ metrics: ServerMetrics,
        _ logger: Logger
    ) {
        self.configuration = configuration
        self.http = http
        self.tokens = tokens
        self.tokenFile = tokenFile
        self.metrics = metrics
        self.logger = logger
    }

    /// Where it listens.
    var url: String {
        guard let api else { return "" }
        let host = api.address.contains(":") ? "[\(api.address)]" : api.address
        return "\(configuration.rules.isEncrypted ? "https" : "http")://\(host):\(api.port)"
    }

    /// How many runs an earlier server left behind that had not begun, and that had.
    private(set) var recovered = (queued: 0, lost: 0)

    /// What this host does not give.
    private(set) var gaps: [Gap] = []

    func start(
        _ process: consuming LauncherProcess,
        _ facts: HostFacts,
        _ store: RunStore
    ) async throws {
        self.store = store
        recovered = (store.queued.count, store.lostCount)
        let launcher = try Launcher(process, spares: min(configuration.limits.concurrency, Self.mostSpares))
        self.launcher = launcher
        if let failure = await launcher.probeOnce() { throw failure }
        let report = HostReport(facts, launcher.support)
        gaps = report.gaps
        launcher.refill()
        launcher.onLoss = { [weak self, logger] in
            logger.critical("the launcher has ended: no command can be run any more; exiting")
            self?.exitStatus = 1
            self?.stop()
        }
        let service = RunService(
            launcher: launcher,
            store: store,
            limits: configuration.limits,
            enforcement: launcher.support.enforcement,
            logger: logger,
            metrics: metrics.service
        )
        self.service = service
        var observation = Observation()
        observation.metrics = metrics.registry
        observation.scrape = { [metrics] in
            service.publishLevels()
            return metrics.render()
        }
        observation.accessLog = configuration.log.accessLog
        observation.passesTrace = configuration.log.passesTrace
        api = try APIServer(
            http: http,
            rules: configuration.rules,
            tokens: tokenFile.map { TokenTable($0.entries) },
            maxima: configuration.maxima,
            capabilities: Capabilities(
                version: Sandglass.version,
                report: report,
                images: configuration.maxima.images
            ),
            service: service,
            observation: observation
        )
        watchTokens()
    }

    // MARK: Who may ask

    /// Reads again what may have changed: who may use the service.
    func reload() {
        guard tokens != nil else { return logger.notice("there is nothing to read again without --tokens") }
        readTokens(logsIfSame: true)
    }

    private func readTokens(logsIfSame: Bool) {
        guard let tokens else { return }
        do throws(SettingError) {
            let file = try tokens.read()
            guard file != tokenFile || logsIfSame else { return }
            tokenFile = file
            api?.tokens = TokenTable(file.entries)
            logger.notice("read the tokens again", metadata: ["principals": "\(file.entries.count)"])
        } catch {
            logger.error("the tokens stay as they were", metadata: ["error": "\(error)"])
        }
    }

    private func watchTokens() {
        guard let tokens else { return }
        do {
            guard let changes = tokens.changes else { throw SystemError("inotify_add_watch") }
            tokenWatch = try Reactor.watch(changes, for: .readable) { [weak self] _ in
                tokens.noteChanges()
                self?.readTokens(logsIfSame: false)
            }
        } catch {
            logger.warning("the tokens are read again at SIGHUP alone", metadata: ["error": "\(error)"])
        }
        // Whom the server has become may not be able to do what root could.
        if case .failure(let error) = Result(catching: { () throws(SettingError) in try tokens.read() }) {
            logger.warning(
                "the tokens cannot be read again before a restart; let everybody read the file, it has no secrets",
                metadata: ["error": "\(error)"]
            )
        }
    }

    /// Lets what runs go on for a while, answers everybody who waits, and ends the process.
    func stop() {
        guard let service, let api else { exitProcess(status: exitStatus) }
        ServiceNotification.stopping()
        if configuration.drain == .zero { api.stopAccepting() }
        service.stop(after: configuration.drain, keepsQueue: configuration.dataDirectory != nil) { [self] in
            api.stopAccepting()
            exitAfterLastAnswers()
        }
    }

    /// Like ``stop()``, without waiting for grace periods: every sandbox is destroyed.
    func stopNow() {
        launcher?.onLoss = nil
        // What may still go on is cancelled, or its sandbox's end would be taken for a failure.
        service?.stop {}
        launcher?.stop()
        exitAfterLastAnswers()
    }

    /// Answers that wait for the store, and those that the sockets did not take at once, get a moment.
    private func exitAfterLastAnswers() {
        _ = Reactor.schedule(at: .now.advanced(by: Self.lastAnswers)) { [self] in exitProcess(status: exitStatus) }
    }

    /// Takes everything apart and ends the process.
    func exitProcess(status: Int32) -> Never {
        launcher?.onLoss = nil
        // Ends what still runs; those who wait for it are answered by that.
        launcher?.stop()
        api?.stop()
        store?.close()
        exit(status)
    }
}
