internal import API
internal import CLinux
internal import Glibc
internal import HTTPServer
internal import Identity
internal import Logging
internal import Logs
internal import Runs
internal import Sandbox
internal import Service
internal import Settings
internal import Store

/// What a server has been told, each value read and all of them together possible.
struct ServeConfiguration {
    let address: ListenAddress
    let tokensPath: String?
    /// Where the certificates and the key are, if the server speaks TLS.
    let tlsFiles: TLSFiles?
    let rules: AccessRules
    let http: HTTPServerConfiguration
    /// Whether somebody has said how many connections there may be.
    let limitsConnections: Bool
    let maxima: RequestMaxima
    let limits: ServiceLimits
    let drain: Duration
    let dataDirectory: String?
    let durability: Durability
    let retention: Retention
    let blobLimits: BlobLimits
    let sandbox: SandboxConfiguration
    let required: Set<HostFeature>
    let log: LogSettings

    /// Reads the sources.
    ///
    /// - Throws: what is wrong with a value, or which of them do not go together.
    init(_ sources: SettingSources) throws(SettingError) {
        address = try sources.value(ServeSetting.listen) ?? .standard
        tokensPath = try sources.value(ServeSetting.tokens)
        tlsFiles = try Self.tlsFiles(sources)
        rules = try Self.rules(sources, isEncrypted: tlsFiles != nil)
        http = try Self.http(sources, address)
        limitsConnections = try sources.value(ServeSetting.maxConnections) != nil
        limits = try Self.limits(sources)
        drain = try sources.value(ServeSetting.drainSeconds) ?? .zero
        dataDirectory = try sources.value(ServeSetting.dataDirectory)
        durability = try sources.value(ServeSetting.durability) ?? .normal
        retention = try Self.retention(sources)
        blobLimits = try Self.blobLimits(sources)
        var sandbox = try SandboxSetting.sandbox(sources, images: try sources.values(SandboxSetting.image))
        sandbox.allowsHostNetwork = try sources.value(SandboxSetting.allowHostNetwork) ?? false
        self.sandbox = sandbox
        maxima = try Self.maxima(sources, sandbox)
        required = try SandboxSetting.required(sources)
        log = LogSettings(
            level: try sources.value(LogSetting.logLevel) ?? .info,
            format: try sources.value(LogSetting.logFormat) ?? .text,
            logsRequests: try sources.value(LogSetting.accessLog) ?? false,
            passesTrace: try sources.value(LogSetting.passTraceparent) ?? false
        )
        try check(sources)
    }

    /// Refuses what does not go together.
    private func check(_ sources: SettingSources) throws(SettingError) {
        guard address.isLoopback || tokensPath != nil else {
            throw SettingError(
                "\(address.host) can be reached from other machines, and anybody there could run commands: "
                    + "name those who may (--tokens; `sandglass token add` makes the file), "
                    + "or listen on 127.0.0.1, ::1 or localhost."
            )
        }
        guard !address.isWildcard || !rules.hosts.isEmpty else {
            throw SettingError(
                "\(address.host) is every address of this machine: say by which names clients call it (--allow-host), "
                    + "or all of them get 421."
            )
        }
        if dataDirectory == nil, durability == .full {
            throw SettingError(
                "--durability full takes a --data-directory: what is in a temporary one ends with the server."
            )
        }
        if http.maximumBodyBytes > http.maximumBodyBytesInAll {
            throw SettingError("--max-body-bytes is more than --max-body-bytes-in-all: no such body could be taken.")
        }
        if let own = limits.principal.concurrency, own > limits.concurrency {
            throw SettingError(
                "--principal-concurrency \(own) is more than --concurrency, which is \(limits.concurrency)."
            )
        }
        if let own = limits.principal.queued, own > limits.queued {
            throw SettingError("--principal-queue-limit \(own) is more than --queue-limit, which is \(limits.queued).")
        }
    }

    private static func tlsFiles(_ sources: SettingSources) throws(SettingError) -> TLSFiles? {
        switch (try sources.value(ServeSetting.tlsCertificate), try sources.value(ServeSetting.tlsKey)) {
        case (let certificate?, let key?): return TLSFiles(certificate: certificate, key: key)
        case (nil, nil): return nil
        case (.some, nil):
            throw SettingError("--tls-certificate takes a --tls-key, the private key of the certificate.")
        case (nil, .some):
            throw SettingError("--tls-key takes a --tls-certificate, the certificate that the key is of.")
        }
    }

    private static func rules(_ sources: SettingSources, isEncrypted: Bool) throws(SettingError) -> AccessRules {
        var rules = AccessRules()
        rules.isEncrypted = isEncrypted
        rules.hosts = try sources.values(ServeSetting.allowHost)
        rules.origins = try sources.values(ServeSetting.allowOrigin)
        return rules
    }

    private static func http(
        _ sources: SettingSources,
        _ address: ListenAddress
    ) throws(SettingError) -> HTTPServerConfiguration {
        var http = HTTPServerConfiguration(address: address.host, port: address.port)
        if let bytes = try sources.value(ServeSetting.maxBodyBytes) { http.maximumBodyBytes = bytes }
        if let bytes = try sources.value(ServeSetting.maxHeaderBytes) {
            http.maximumHeaderBytes = bytes
            http.maximumTargetBytes = bytes / 2
        }
        http.maximumConnections = try sources.value(ServeSetting.maxConnections) ?? 4096
        if let bytes = try sources.value(ServeSetting.maxBodyBytesInAll) { http.maximumBodyBytesInAll = bytes }
        if let number = try sources.value(ServeSetting.maxHeaders) { http.maximumHeaderFields = number }
        http.maximumConnectionsPerAddress =
            try sources.value(ServeSetting.maxConnectionsPerAddress) ?? (address.isLoopback ? 0 : 256)
        if let time = try sources.value(ServeSetting.headSeconds) { http.headTimeout = time }
        if let time = try sources.value(ServeSetting.bodySeconds) { http.bodyTimeout = time }
        if let rate = try sources.value(ServeSetting.minBodyRate) { http.minimumBodyBytesPerSecond = rate }
        if let time = try sources.value(ServeSetting.idleSeconds) { http.idleTimeout = time }
        if let time = try sources.value(ServeSetting.sendSeconds) { http.sendTimeout = time }
        return http
    }

    private static func limits(_ sources: SettingSources) throws(SettingError) -> ServiceLimits {
        ServiceLimits(
            concurrency: try sources.value(ServeSetting.concurrency) ?? processors,
            queued: try sources.value(ServeSetting.queueLimit) ?? 10_000,
            principal: PrincipalLimits(
                concurrency: try sources.value(ServeSetting.principalConcurrency),
                queued: try sources.value(ServeSetting.principalQueueLimit),
                runsPerMinute: try sources.value(ServeSetting.principalRunsPerMinute)
            ),
            artifacts: try artifacts(sources)
        )
    }

    private static func artifacts(_ sources: SettingSources) throws(SettingError) -> ArtifactLimits {
        var limits = ArtifactLimits()
        if let number = try sources.value(ServeSetting.maxArtifacts) { limits.count = number }
        if let bytes = try sources.value(ServeSetting.maxArtifactBytes) { limits.bytes = bytes }
        if let bytes = try sources.value(ServeSetting.maxArtifactsBytes) { limits.totalBytes = bytes }
        if let number = try sources.value(ServeSetting.maxArtifactDepth) { limits.depth = number }
        return limits
    }

    private static func retention(_ sources: SettingSources) throws(SettingError) -> Retention {
        var retention = Retention()
        if let runs = try sources.value(ServeSetting.keepRuns) { retention.runs = runs }
        if let bytes = try sources.value(ServeSetting.keepBytes) { retention.bytes = bytes }
        retention.seconds = try sources.value(ServeSetting.keepFor).map { Int($0.components.seconds) }
        return retention
    }

    private static func blobLimits(_ sources: SettingSources) throws(SettingError) -> BlobLimits {
        var limits = BlobLimits()
        if let bytes = try sources.value(ServeSetting.blobBytes) { limits.bytes = bytes }
        if let time = try sources.value(ServeSetting.keepBlobsFor) {
            limits.keptSeconds = max(Int(time.components.seconds), 1)
        }
        return limits
    }

    private static func maxima(
        _ sources: SettingSources,
        _ sandbox: SandboxConfiguration
    ) throws(SettingError) -> RequestMaxima {
        var maxima = RequestMaxima()
        maxima.images += sandbox.images.map(\.name)
        maxima.allowsHostNetwork = sandbox.allowsHostNetwork
        if let time = try sources.value(ServeSetting.maxTimeoutSeconds) { maxima.timeout = time }
        if let time = try sources.value(ServeSetting.maxCpuSeconds) { maxima.cpu = time }
        if let bytes = try sources.value(ServeSetting.maxMemoryBytes) { maxima.memoryBytes = bytes }
        if let number = try sources.value(ServeSetting.maxProcesses) { maxima.processes = number }
        if let bytes = try sources.value(ServeSetting.maxOutputBytes) { maxima.outputBytes = bytes }
        if let bytes = try sources.value(ServeSetting.maxDiskBytes) { maxima.diskBytes = bytes }
        if let number = try sources.value(ServeSetting.maxOpenFiles) { maxima.openFiles = number }
        if let time = try sources.value(ServeSetting.maxWaitSeconds) { maxima.wait = time }
        maxima.defaults.usualProcessors = max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 2)
        maxima.lowerDefaults()
        return maxima
    }

    /// How many processors this process may use: `taskset` counts, so does a container's cpuset.
    private static var processors: Int {
        min(max(Int(sandglass_processor_count()), 1), Server.maximumConcurrency)
    }
}
