internal import Glibc
internal import HTTPServer
internal import Identity
internal import Logging
internal import RunAPI
internal import RunModel
internal import Sandbox
internal import Server
internal import Service
internal import Settings
internal import Store
internal import Telemetry

/// The configuration of a server: all settings, parsed and consistent.
struct ServeConfiguration {
    let address: ListenAddress
    let tokensPath: String?
    /// The certificate and key files if the server uses TLS.
    let tlsFiles: TLSFiles?
    let rules: AccessRules
    let http: HTTPServerConfiguration
    /// True if the operator set the maximum number of connections.
    let setsMaximumConnections: Bool
    let maxima: RequestLimits
    let limits: ServiceLimits
    let drain: Duration
    let dataDirectory: String?
    let durability: Durability
    let retention: Retention
    let blobLimits: BlobLimits
    let sandbox: SandboxConfiguration
    let required: Set<HostFeature>
    let log: LogConfiguration

    /// Reads the settings.
    ///
    /// - Throws: If a value is invalid, or settings contradict each other.
    init(_ sources: SettingSources) throws(SettingError) {
        let (network, queue, storage) = (ServeSetting.network, ServeSetting.queue, ServeSetting.storage)
        address = try sources.value(network.listen)
        tokensPath = try sources.value(network.tokens)
        tlsFiles = try Self.tlsFiles(sources)
        rules = try Self.rules(sources, isEncrypted: tlsFiles != nil)
        http = try Self.http(sources, address)
        setsMaximumConnections = sources.isSet(ServeSetting.connections.maxConnections.description)
        limits = try Self.limits(sources)
        drain = try sources.value(queue.drainSeconds)
        dataDirectory = try sources.value(storage.dataDirectory)
        durability = try sources.value(storage.durability)
        retention = Retention(
            runs: try sources.value(storage.keepRuns),
            bytes: try sources.value(storage.keepBytes),
            seconds: try sources.value(storage.keepFor).map { Int($0.components.seconds) }
        )
        blobLimits = BlobLimits(
            bytes: try sources.value(storage.blobBytes),
            retentionSeconds: max(Int(try sources.value(storage.keepBlobsFor).components.seconds), 1)
        )
        let images = try sources.values(ServeSetting.sandbox.image)
        var sandbox = try ServeSetting.sandbox.configuration(sources, images: images)
        sandbox.allowsHostNetwork = try sources.value(ServeSetting.sandbox.allowHostNetwork)
        sandbox.allowsFilters = try sources.value(ServeSetting.sandbox.allowSeccomp)
        self.sandbox = sandbox
        maxima = try Self.maxima(sources, sandbox)
        required = try ServeSetting.sandbox.required(sources)
        log = LogConfiguration(
            level: try sources.value(ServeSetting.log.logLevel),
            format: try sources.value(ServeSetting.log.logFormat),
            logsRequests: try sources.value(ServeSetting.log.accessLog),
            passesTrace: try sources.value(ServeSetting.log.passTraceparent)
        )
        try checkConsistency()
    }

    private func checkConsistency() throws(SettingError) {
        guard address.isLoopback || tokensPath != nil else {
            throw SettingError(
                "Other machines can reach \(address.host), and anyone there could run commands. Add --tokens with a "
                    + "file of `sandglass token add`, or listen on 127.0.0.1, ::1 or localhost."
            )
        }
        guard !address.isWildcard || !rules.hosts.isEmpty || rules.publicURL != nil else {
            throw SettingError(
                "\(address.host) means every address of this machine, so all requests would get 421. Add "
                    + "--allow-host with each name that clients use for this server."
            )
        }
        if dataDirectory == nil, durability == .full {
            throw SettingError(
                "--durability full needs a --data-directory, because the temporary directory is removed at exit."
            )
        }
        if http.maximumBodyBytes > http.maximumTotalBodyBytes {
            throw SettingError(
                "--max-body-bytes \(http.maximumBodyBytes) is larger than --max-body-bytes-in-all "
                    + "\(http.maximumTotalBodyBytes), so such a body would always be refused. Lower the former or "
                    + "raise the latter."
            )
        }
        if let own = limits.principal.concurrency, own > limits.concurrency {
            throw SettingError(
                "--principal-concurrency \(own) is larger than --concurrency \(limits.concurrency). Lower the former or "
                    + "raise the latter."
            )
        }
        if let own = limits.principal.queued, own > limits.queued {
            throw SettingError(
                "--principal-queue-limit \(own) is larger than --queue-limit \(limits.queued). Lower the former or "
                    + "raise the latter."
            )
        }
    }

    private static func tlsFiles(_ sources: SettingSources) throws(SettingError) -> TLSFiles? {
        let network = ServeSetting.network
        switch (try sources.value(network.tlsCertificate), try sources.value(network.tlsKey)) {
        case (let certificate?, let key?): return TLSFiles(certificate: certificate, key: key)
        case (nil, nil): return nil
        case (.some, nil):
            throw SettingError("--tls-certificate needs --tls-key, the private key of the certificate.")
        case (nil, .some):
            throw SettingError("--tls-key needs --tls-certificate, the certificate of the key.")
        }
    }

    private static func rules(_ sources: SettingSources, isEncrypted: Bool) throws(SettingError) -> AccessRules {
        var rules = AccessRules()
        rules.isEncrypted = isEncrypted
        rules.hosts = try sources.values(ServeSetting.network.allowHost)
        rules.origins = try sources.values(ServeSetting.network.allowOrigin)
        rules.publicURL = try sources.value(ServeSetting.network.publicURL)
        rules.trustedProxies = try sources.values(ServeSetting.network.trustedProxy)
        return rules
    }

    private static func http(
        _ sources: SettingSources,
        _ address: ListenAddress
    ) throws(SettingError) -> HTTPServerConfiguration {
        let settings = ServeSetting.connections
        var http = HTTPServerConfiguration(address: address.host, port: address.port)
        http.maximumBodyBytes = try sources.value(settings.maxBodyBytes)
        http.maximumTotalBodyBytes = try sources.value(settings.maxBodyBytesInAll)
        http.maximumHeaderBytes = try sources.value(settings.maxHeaderBytes)
        http.maximumTargetBytes = http.maximumHeaderBytes / 2
        http.maximumHeaderFields = try sources.value(settings.maxHeaders)
        http.maximumConnections = try sources.value(settings.maxConnections)
        http.maximumConnectionsPerAddress =
            try sources.value(settings.maxConnectionsPerAddress) ?? (address.isLoopback ? 0 : 256)
        http.headTimeout = try sources.value(settings.headSeconds)
        http.bodyTimeout = try sources.value(settings.bodySeconds)
        http.minimumBodyBytesPerSecond = try sources.value(settings.minBodyRate)
        http.idleTimeout = try sources.value(settings.idleSeconds)
        http.sendTimeout = try sources.value(settings.sendSeconds)
        return http
    }

    private static func limits(_ sources: SettingSources) throws(SettingError) -> ServiceLimits {
        let (queue, limits) = (ServeSetting.queue, ServeSetting.limits)
        return ServiceLimits(
            concurrency: try sources.value(queue.concurrency),
            queued: try sources.value(queue.queueLimit),
            principal: PrincipalLimits(
                concurrency: try sources.value(queue.principalConcurrency),
                queued: try sources.value(queue.principalQueueLimit),
                runsPerMinute: try sources.value(queue.principalRunsPerMinute)
            ),
            artifacts: ArtifactLimits(
                count: try sources.value(limits.maxArtifacts),
                bytes: try sources.value(limits.maxArtifactBytes),
                totalBytes: try sources.value(limits.maxArtifactsBytes),
                depth: try sources.value(limits.maxArtifactDepth)
            )
        )
    }

    private static func maxima(
        _ sources: SettingSources,
        _ sandbox: SandboxConfiguration
    ) throws(SettingError) -> RequestLimits {
        let settings = ServeSetting.limits
        var maxima = RequestLimits()
        maxima.images += sandbox.images.map(\.name)
        maxima.allowsHostNetwork = sandbox.allowsHostNetwork
        maxima.timeout = try sources.value(settings.maxTimeoutSeconds)
        maxima.cpu = try sources.value(settings.maxCpuSeconds)
        maxima.cpus = try sources.value(settings.maxCpus)
        maxima.memoryBytes = try sources.value(settings.maxMemoryBytes)
        maxima.processes = try sources.value(settings.maxProcesses)
        maxima.outputBytes = try sources.value(settings.maxOutputBytes)
        maxima.diskBytes = try sources.value(settings.maxDiskBytes)
        maxima.stackBytes = try sources.value(settings.maxStackBytes)
        maxima.openFiles = try sources.value(settings.maxOpenFiles)
        maxima.wait = try sources.value(settings.maxWaitSeconds)
        maxima.defaults.defaultProcessors = max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 2)
        maxima.lowerDefaults()
        return maxima
    }
}

/// The configuration of a server's log.
struct LogConfiguration {
    let level: Logger.Level
    let format: LogFormat
    let logsRequests: Bool
    let passesTrace: Bool

    /// A logger that writes to standard error.
    var logger: Logger {
        var logger = Logger(label: "sandglass") { [format, level] _ in
            LineLogHandler(format, level: level, output: .standardError)
        }
        logger.logLevel = level
        return logger
    }

    /// The access log, which has one line per request; `nil` if it is off.
    var accessLog: AccessLog? { logsRequests ? AccessLog(format, to: .standardError) : nil }
}

/// An address to listen on: `127.0.0.1:8080`, `localhost:0`, `[::1]:8080`.
struct ListenAddress: Sendable, CustomStringConvertible {
    static let `default` = ListenAddress(host: "127.0.0.1", port: 8080)

    let host: String
    let port: UInt16

    private init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    init?(_ argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        var host = argument[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: port)
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// True if only this machine can reach the address.
    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    /// True if the address means all addresses of this machine.
    var isWildcard: Bool { host == "0.0.0.0" || host == "::" }
}

/// The paths of a server's certificate chain and private key.
struct TLSFiles {
    /// The maximum size of a file in bytes; a certificate chain has a few kilobytes.
    private static let maximumBytes = 1 << 20

    let certificate: String
    let key: String

    /// Reads both files.
    ///
    /// The HTTP server checks at its start whether they match.
    func read() throws(SettingError) -> TLSIdentity {
        TLSIdentity(certificateChain: try Self.read(certificate), privateKey: try Self.read(key))
    }

    private static func read(_ path: String) throws(SettingError) -> [UInt8] {
        do throws(SettingError) {
            return try ConfigurationFile.contents(of: path, atMost: maximumBytes)
        } catch {
            throw SettingError("The file \(path) cannot be used: \(error)")
        }
    }
}
