internal import API
internal import Execution
internal import Glibc
internal import Logging
internal import Reactor
internal import Runs
internal import Sandbox
internal import Service
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
    private var drain = Duration.zero
    private var keepsQueue = false

    nonisolated init() {}

    /// Where it listens, as it stands in a URL.
    var authority: String {
        guard let api else { return "" }
        return (api.address.contains(":") ? "[\(api.address)]" : api.address) + ":\(api.port)"
    }

    /// How many runs an earlier server left behind that had not begun, and that had.
    private(set) var recovered = (queued: 0, lost: 0)

    /// What this host does not give.
    private(set) var gaps: [Gap] = []

    func start(
        _ server: Server,
        _ process: consuming LauncherProcess,
        _ facts: HostFacts,
        _ store: RunStore,
        _ maximumConnections: Int,
        _ logger: Logger
    ) async throws {
        self.store = store
        recovered = (store.queued.count, store.lostCount)
        drain = server.drain
        keepsQueue = server.dataDirectory != nil
        let launcher = try Launcher(process, spares: min(server.limits.concurrency, Self.mostSpares))
        self.launcher = launcher
        if let failure = await launcher.probeOnce() { throw failure }
        let report = HostReport(facts, launcher.support)
        gaps = report.gaps
        launcher.refill()
        launcher.onLoss = { [weak self] in
            logger.critical("the launcher has ended: no command can be run any more; exiting")
            self?.exitStatus = 1
            self?.stop()
        }
        let service = RunService(
            launcher: launcher,
            store: store,
            limits: server.limits,
            enforcement: launcher.support.enforcement,
            logger: logger,
            metrics: server.metrics.service
        )
        self.service = service
        var observation = Observation()
        observation.metrics = server.metrics.registry
        observation.scrape = { [metrics = server.metrics] in
            service.publishLevels()
            return metrics.render()
        }
        observation.accessLog = server.log.accessLog
        observation.passesTrace = server.log.passesTrace
        let (maxima, maximumBodyBytes) = server.maxima()
        api = try APIServer(
            address: server.address.host,
            port: server.address.port,
            maxima: maxima,
            maximumBodyBytes: maximumBodyBytes,
            maximumConnections: maximumConnections,
            capabilities: Capabilities(version: Sandglass.version, report: report, images: maxima.images),
            service: service,
            observation: observation
        )
    }

    /// Lets what runs go on for a while, answers everybody who waits, and ends the process.
    func stop() {
        guard let service, let api else { exitProcess(status: exitStatus) }
        if drain == .zero { api.stopAccepting() }
        service.stop(after: drain, keepsQueue: keepsQueue) { [self] in
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
