internal import Execution
internal import Glibc
internal import HTTPServer
internal import Identity
internal import Logging
internal import Reactor
internal import RunAPI
internal import RunModel
internal import Sandbox
internal import Server
internal import Service
internal import Settings
internal import Store
internal import System

/// The parts of a running server: launcher, store, service and HTTP API.
@ReactorActor
final class ServerApplication {
    /// The maximum number of spare slots, each of about 200 KiB.
    ///
    /// No more runs than this end within the time that creating one slot takes.
    private static let maximumSpares = 16
    /// The time for the last responses to leave after the last run has ended.
    private static let lastResponseTime = Duration.milliseconds(100)

    private var launcher: Launcher?
    private var store: RunStore?
    private var service: RunService?
    private var api: APIServer?
    private var exitStatus: Int32 = 0
    private let configuration: ServeConfiguration
    private let http: HTTPServerConfiguration
    private let tokens: TokenSource?
    /// The most recently read content of the token file.
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

    /// The URL that the server listens on.
    var url: String {
        guard let api else { return "" }
        let host = api.address.contains(":") ? "[\(api.address)]" : api.address
        return "\(configuration.rules.isEncrypted ? "https" : "http")://\(host):\(api.port)"
    }

    /// The number of runs that an earlier server left queued, and that it left running.
    private(set) var recovered = (queued: 0, lost: 0)

    /// The protections and limits that this host lacks.
    private(set) var gaps: [Gap] = []

    func start(
        _ process: consuming LauncherProcess,
        _ host: HostInfo,
        _ store: RunStore
    ) async throws {
        self.store = store
        recovered = (store.queued.count, store.lostCount)
        let launcher = try Launcher(process, spares: min(configuration.limits.concurrency, Self.maximumSpares))
        self.launcher = launcher
        if let failure = await launcher.probe() { throw failure }
        let report = HostReport(host, launcher.support)
        gaps = report.gaps
        launcher.refill()
        launcher.onLoss = { [weak self, logger] in
            logger.critical("the launcher has ended, so no command can run; exiting")
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
        var telemetry = RequestTelemetry()
        telemetry.metrics = metrics.registry
        telemetry.scrape = { [metrics] in
            service.publishLevels()
            return metrics.render()
        }
        telemetry.accessLog = configuration.log.accessLog
        telemetry.passesTrace = configuration.log.passesTrace
        api = try APIServer(
            http: http,
            rules: configuration.rules,
            tokens: tokenFile.map { TokenTable($0.entries) },
            maxima: configuration.maxima,
            capabilities: Capabilities(
                version: SandglassCommand.version,
                report: report,
                images: configuration.maxima.images
            ),
            service: service,
            telemetry: telemetry
        )
        watchTokens()
    }

    // MARK: Tokens

    /// Reloads the token file, if there is one.
    func reload() {
        readTokens(logsIfSame: true)
    }

    private func readTokens(logsIfSame: Bool) {
        guard let tokens else { return }
        do throws(SettingError) {
            let file = try tokens.read()
            guard file != tokenFile || logsIfSame else { return }
            tokenFile = file
            api?.tokens = TokenTable(file.entries)
            logger.notice("reloaded the tokens", metadata: ["principals": "\(file.entries.count)"])
        } catch {
            logger.error("cannot reload the tokens; the current ones stay in use", metadata: ["error": "\(error)"])
        }
    }

    private func watchTokens() {
        guard let tokens else { return }
        do {
            guard let changes = tokens.changes else { throw SystemError("inotify_add_watch") }
            tokenWatch = try ReactorActor.watch(changes, for: .readable) { [weak self] _ in
                tokens.consumeChanges()
                self?.readTokens(logsIfSame: false)
            }
        } catch {
            logger.warning("cannot watch the token file; send SIGHUP to reload it", metadata: ["error": "\(error)"])
        }
        // The server's user may not be able to read a file that root could read.
        if case .failure(let error) = Result(catching: { () throws(SettingError) in try tokens.read() }) {
            logger.warning(
                "cannot reload the token file without a restart; make it readable for all users (it has no secrets)",
                metadata: ["error": "\(error)"]
            )
        }
    }

    // MARK: Shutdown

    /// Drains the running commands, completes all waiting requests, and exits.
    func stop() {
        guard let service, let api else { exitProcess(status: exitStatus) }
        ServiceNotification.stopping()
        if configuration.drain == .zero { api.stopAccepting() }
        service.stop(after: configuration.drain, keepsQueue: configuration.dataDirectory != nil) { [self] in
            api.stopAccepting()
            exitAfterLastResponses()
        }
    }

    /// Destroys every sandbox without grace periods, completes all waiting requests, and exits.
    func stopNow() {
        launcher?.onLoss = nil
        // The running commands are cancelled first. Otherwise the end of their sandboxes would count as a failure.
        service?.stop {}
        launcher?.stop()
        exitAfterLastResponses()
    }

    /// Exits after a moment for the responses that wait for the store or for a socket.
    private func exitAfterLastResponses() {
        _ = ReactorActor.schedule(at: .now.advanced(by: Self.lastResponseTime)) { [self] in
            exitProcess(status: exitStatus)
        }
    }

    /// Shuts down all parts and exits.
    func exitProcess(status: Int32) -> Never {
        launcher?.onLoss = nil
        // The end of the launcher ends all runs, which completes the requests that wait for them.
        launcher?.stop()
        api?.stop()
        store?.close()
        exit(status)
    }
}
