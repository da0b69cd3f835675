internal import HTTPServer
internal import Logging
internal import RunAPI
internal import RunModel
internal import Server
internal import Service
internal import Settings
internal import Store
internal import Telemetry

/// All settings of `sandglass serve`.
///
/// Each property of a group is one setting. Its flag, variable, member of the configuration file, help and row in
/// `docs/configuration.md` derive from the property; ``ServeConfiguration`` reads its value.
enum ServeSetting {
    static let network = NetworkSettings()
    static let connections = ConnectionSettings()
    static let queue = QueueSettings()
    static let limits = LimitSettings()
    static let storage = StorageSettings()
    static let sandbox = SandboxSettings()
    static let log = LogSettings()

    /// The groups in the order of the help, with their settings.
    static let groups: [(title: String, settings: [SettingDescription])] = [
        rows(NetworkSettings.self), rows(ConnectionSettings.self), rows(QueueSettings.self), rows(LimitSettings.self),
        rows(StorageSettings.self), rows(SandboxSettings.self), rows(LogSettings.self),
    ]

    /// All settings in the order of the help.
    static let all = groups.flatMap(\.settings)

    private static func rows<Group: SettingGroup>(_ group: Group.Type) -> (String, [SettingDescription]) {
        (Group.title, Group.descriptions)
    }
}

struct NetworkSettings: SettingGroup {
    static let title = "Network and access"

    let listen = Setting(
        "listen",
        valueName: "address:port",
        default: ListenAddress.default,
        defaultText: ListenAddress.default.description,
        constraint: "an address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        help: "Listen on this address; port 0 picks a free port. An address other than loopback needs --tokens.",
        parse: ListenAddress.init
    )
    let tokens = Setting.text(
        "tokens",
        unset: "no authentication",
        help: "Authenticate clients with this token file (see `sandglass token`). It is reloaded on changes and SIGHUP."
    )
    let tlsCertificate = Setting.text(
        "tlsCertificate",
        unset: "plain HTTP",
        help: "Serve HTTPS with this PEM certificate chain, beginning with the server's own certificate."
    )
    let tlsKey = Setting.text("tlsKey", unset: "none", help: "Use this PEM private key for --tls-certificate.")
    let allowHost = ListSetting(
        "allowHost",
        separator: ",",
        valueName: "name",
        defaultText: "the loopback names and the address of --listen",
        constraint: "a host name or an address, without a port",
        help: "Accept this name in the Host header; other names get 421. Repeatable.",
        parse: hostName
    )
    let allowOrigin = ListSetting(
        "allowOrigin",
        separator: ",",
        valueName: "origin",
        defaultText: "only the server's own origin",
        constraint: "an origin, such as https://app.example.com or http://localhost:3000",
        help: "Allow browser pages of this origin to use the API (CORS). Repeatable.",
        parse: origin
    )
    let publicURL = Setting<PublicURL?>(
        "publicUrl",
        valueName: "url",
        default: nil,
        defaultText: "paths without a host",
        constraint: "an http:// or https:// URL without a query, such as https://example.com/sandglass",
        help:
            "Begin the URLs in responses with this one, under which a proxy offers the server. Its host is accepted as "
            + "with --allow-host, and its pages as the server's own.",
        parse: { PublicURL($0).map { $0 } }
    )
    let trustedProxy = ListSetting(
        "trustedProxy",
        separator: ",",
        valueName: "cidr",
        defaultText: "none",
        constraint: "an address or a range of addresses, such as 127.0.0.1 or 10.0.0.0/8",
        help:
            "Believe the headers X-Forwarded-Prefix and Forwarded of this proxy for the URLs in responses. Repeatable.",
        parse: AddressRange.init
    )

    private static func hostName(_ text: String) -> String? {
        let isLiteral = text.hasPrefix("[") && text.hasSuffix("]")
        let isValid = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            case UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"): isLiteral
            default: false
            }
        }
        return isValid && !text.isEmpty ? text : nil
    }

    private static func origin(_ text: String) -> String? {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return nil }
        let authority = text.dropFirst(scheme.count)
        let colon = authority.hasPrefix("[") ? authority.lastIndex(of: ":") : authority.firstIndex(of: ":")
        let isPort = colon.map { !authority[$0...].contains("]") } ?? false
        let host = isPort ? authority[..<(colon ?? authority.endIndex)] : authority
        if isPort, let colon, UInt16(authority[authority.index(after: colon)...]) == nil { return nil }
        return hostName(String(host)).map { _ in text }
    }
}

struct ConnectionSettings: SettingGroup {
    static let title = "Connection limits"
    private static let defaults = HTTPServerConfiguration()

    let maxBodyBytes = Setting.bytes(
        "maxBodyBytes",
        1024...(1 << 30),
        default: defaults.maximumBodyBytes,
        help: "Limit a request body, in bytes; a larger one gets 413."
    )
    let maxBodyBytesInAll = Setting.bytes(
        "maxBodyBytesInAll",
        1024...(1 << 40),
        default: defaults.maximumTotalBodyBytes,
        help:
            "Limit the memory for all request bodies, in bytes. When it is full, the caller who holds most gets 503."
    )
    let maxHeaderBytes = Setting.bytes(
        "maxHeaderBytes",
        1024...(1 << 20),
        default: defaults.maximumHeaderBytes,
        help: "Limit the request line and headers, in bytes; more gets 431, and a target over half of it gets 414."
    )
    let maxHeaders = Setting.number(
        "maxHeaders",
        1...10_000,
        default: defaults.maximumHeaderFields,
        help: "Limit the number of header fields of a request; more get 431."
    )
    let maxConnections = Setting.number(
        "maxConnections",
        16...65536,
        default: 4096,
        defaultText: "4096, or fewer if the descriptor limit requires it",
        help: "Limit concurrent connections; a further one gets 503."
    )
    let maxConnectionsPerAddress = Setting.number(
        "maxConnectionsPerAddress",
        0...65536,
        unset: "256, or 0 on a loopback address",
        help:
            "Limit connections per IPv4 address or IPv6 /64 network; a further one gets 429. 0 means no limit: use it "
            + "behind a proxy."
    )
    let headSeconds = Setting.seconds(
        "headSeconds",
        atMost: 86400,
        default: defaults.headTimeout,
        help: "Limit the time for a request's line and headers, in seconds; a slower one gets 408."
    )
    let bodySeconds = Setting.seconds(
        "bodySeconds",
        atMost: 86400,
        default: defaults.bodyTimeout,
        help:
            "Limit the time for a request body, in seconds; bytes that arrive renew it (--min-body-rate). A slower one "
            + "gets 408."
    )
    let minBodyRate = Setting.number(
        "minBodyRate",
        0...(1 << 30),
        valueName: "bytes",
        default: defaults.minimumBodyBytesPerSecond,
        help:
            "Renew --body-seconds by one second, up to its full value, per this many bytes; 0 means no renewal."
    )
    let idleSeconds = Setting.seconds(
        "idleSeconds",
        atMost: 86400,
        default: defaults.idleTimeout,
        help: "Close a connection that is idle between requests for this many seconds."
    )
    let sendSeconds = Setting.seconds(
        "sendSeconds",
        atMost: 86400,
        default: defaults.sendTimeout,
        help: "Reset a connection whose client reads no byte of a response for this many seconds."
    )
}

struct QueueSettings: SettingGroup {
    static let title = "Concurrency and queue"

    let concurrency = Setting.number(
        "concurrency",
        1...ServeSession.maximumConcurrency,
        default: ServeSession.availableProcessors,
        defaultText: "the number of processors",
        help: "Limit concurrent runs; further runs are queued."
    )
    let queueLimit = Setting.number(
        "queueLimit",
        0...1_000_000,
        default: ServiceLimits(concurrency: 1).queued,
        help: "Limit queued runs; a further one gets 503."
    )
    let principalConcurrency = Setting.number(
        "principalConcurrency",
        1...ServeSession.maximumConcurrency,
        unset: "same as --concurrency",
        help: "Limit concurrent runs per principal, unless the token file sets one; further runs are queued."
    )
    let principalQueueLimit = Setting.number(
        "principalQueueLimit",
        0...1_000_000,
        unset: "same as --queue-limit",
        help: "Limit queued runs per principal, unless the token file sets one; a further one gets 429."
    )
    let principalRunsPerMinute = Setting.number(
        "principalRunsPerMinute",
        1...60_000_000,
        unset: "no limit",
        help: "Limit new runs per principal and minute, unless the token file sets one; a further one gets 429."
    )
    let drainSeconds = Setting.seconds(
        "drainSeconds",
        atMost: 31_536_000,
        mayBeZero: true,
        default: .zero,
        help: "Let running commands continue for this many seconds after a shutdown signal."
    )
}

struct LimitSettings: SettingGroup {
    static let title = "Run limits"
    private static let defaults = RequestLimits()
    private static let artifacts = ArtifactLimits()

    let maxTimeoutSeconds = Setting.seconds(
        "maxTimeoutSeconds",
        atMost: 31_536_000,
        default: defaults.timeout,
        help: "Limit timeoutSeconds of a run; a larger value gets 422, as with each limit below."
    )
    let maxCpuSeconds = Setting.seconds(
        "maxCpuSeconds",
        atMost: 315_360_000,
        default: defaults.cpu,
        help: "Limit limits.cpuSeconds of a run."
    )
    let maxCpus = Setting.decimal(
        "maxCpus",
        0.1...8192,
        unset: "no limit",
        help: "Limit limits.cpus of a run; a run without that limit gets this one."
    )
    let maxMemoryBytes = Setting.bytes(
        "maxMemoryBytes",
        (1 << 20)...(1 << 50),
        default: defaults.memoryBytes,
        help: "Limit limits.memoryBytes of a run."
    )
    let maxProcesses = Setting.number(
        "maxProcesses",
        1...4_194_304,
        default: defaults.processes,
        help: "Limit limits.processes of a run."
    )
    let maxOutputBytes = Setting.bytes(
        "maxOutputBytes",
        0...(1 << 40),
        default: defaults.outputBytes,
        help: "Limit limits.outputBytes of a run: the stored bytes of each stream."
    )
    let maxDiskBytes = Setting.bytes(
        "maxDiskBytes",
        4096...(1 << 50),
        default: defaults.diskBytes,
        help: "Limit limits.diskBytes of a run."
    )
    let maxOpenFiles = Setting.number(
        "maxOpenFiles",
        3...1_048_576,
        default: defaults.openFiles,
        help: "Limit limits.openFiles of a run."
    )
    let maxStackBytes = Setting.bytes(
        "maxStackBytes",
        (128 << 10)...(1 << 50),
        default: defaults.stackBytes,
        help: "Limit limits.stackBytes of a run."
    )
    let maxArtifacts = Setting.number(
        "maxArtifacts",
        0...100_000,
        default: artifacts.count,
        help: "Keep at most this many artifacts of a run; the run lists those that are omitted."
    )
    let maxArtifactBytes = Setting.bytes(
        "maxArtifactBytes",
        0...(1 << 40),
        default: artifacts.bytes,
        help: "Keep no artifact larger than this many bytes."
    )
    let maxArtifactsBytes = Setting.bytes(
        "maxArtifactsBytes",
        0...(1 << 40),
        default: artifacts.totalBytes,
        help: "Keep at most this many bytes of a run's artifacts together."
    )
    let maxArtifactDepth = Setting.number(
        "maxArtifactDepth",
        0...128,
        default: artifacts.depth,
        help: "Search artifacts at most this many directories below /box."
    )
    let maxWaitSeconds = Setting.seconds(
        "maxWaitSeconds",
        atMost: 86400,
        mayBeZero: true,
        default: defaults.wait,
        help: "Limit the time that a request may wait for a run, in seconds; a longer wait is shortened."
    )
}

struct StorageSettings: SettingGroup {
    static let title = "Storage"
    private static let retention = Retention()
    private static let blobs = BlobLimits()

    let dataDirectory = Setting.text(
        "dataDirectory",
        unset: "a temporary directory, removed at exit",
        help:
            "Store runs and output in this directory across restarts. It is created if needed; only one server may use "
            + "it."
    )
    let durability = Setting.choice(
        "durability",
        default: Durability.normal,
        help:
            "Make accepted runs (202) survive a crash of the server (normal) or also of the host (full, which waits for "
            + "the disk before each response)."
    )
    let keepRuns = Setting.number(
        "keepRuns",
        1...Int.max,
        default: retention.runs,
        help: "Keep at most this many finished runs; the oldest are deleted first."
    )
    let keepBytes = Setting.bytes(
        "keepBytes",
        0...Int.max,
        default: retention.bytes,
        help:
            "Keep at most this many bytes of finished runs with output and artifacts. Set --blob-bytes higher, so that "
            + "uploads have space."
    )
    let keepFor = Setting.seconds(
        "keepFor",
        atMost: 31_536_000,
        unset: "no time limit",
        help: "Delete finished runs after this many seconds."
    )
    let blobBytes = Setting.bytes(
        "blobBytes",
        4096...(1 << 50),
        default: blobs.bytes,
        help:
            "Limit all blobs together, in bytes, each counted as at least 4096; an upload over it gets 507 or 413."
    )
    let keepBlobsFor = Setting.seconds(
        "keepBlobsFor",
        atMost: 31_536_000,
        default: .seconds(blobs.retentionSeconds),
        help: "Keep a blob that no run uses for this many seconds after its last upload, download or HEAD request."
    )
}

struct LogSettings: SettingGroup {
    static let title = "Logging"

    let logLevel = Setting.choice(
        "logLevel",
        valueName: "level",
        default: Logger.Level.info,
        help:
            "Log this level and above to standard error: trace, debug (the end of each run), info, notice, warning, "
            + "error or critical."
    )
    let logFormat = Setting.choice(
        "logFormat",
        default: LogFormat.text,
        help: "Write log lines as text, or as one JSON object per line."
    )
    let accessLog = Setting.toggle("accessLog", help: "Log one line per request.")
    let passTraceparent = Setting.toggle(
        "passTraceparent",
        help: "Pass the trace of the creating request (W3C Trace Context) to commands as TRACEPARENT and TRACESTATE."
    )
}
