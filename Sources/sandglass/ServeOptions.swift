internal import ArgumentParser
internal import Settings

/// Who may reach a server.
struct FrontOptions: ParsableArguments {
    @Option(help: .setting(ServeSetting.listen)) var listen: String?
    @Option(help: .setting(ServeSetting.tokens)) var tokens: String?
    @Option(help: .setting(ServeSetting.tlsCertificate)) var tlsCertificate: String?
    @Option(help: .setting(ServeSetting.tlsKey)) var tlsKey: String?
    @Option(help: .setting(ServeSetting.allowHost)) var allowHost: [String] = []
    @Option(help: .setting(ServeSetting.allowOrigin)) var allowOrigin: [String] = []
}

/// What a client may cost.
struct HTTPOptions: ParsableArguments {
    @Option(help: .setting(ServeSetting.maxBodyBytes)) var maxBodyBytes: String?
    @Option(help: .setting(ServeSetting.maxBodyBytesInAll)) var maxBodyBytesInAll: String?
    @Option(help: .setting(ServeSetting.maxHeaderBytes)) var maxHeaderBytes: String?
    @Option(help: .setting(ServeSetting.maxHeaders)) var maxHeaders: String?
    @Option(help: .setting(ServeSetting.maxConnections)) var maxConnections: String?
    @Option(help: .setting(ServeSetting.maxConnectionsPerAddress)) var maxConnectionsPerAddress: String?
    @Option(help: .setting(ServeSetting.headSeconds)) var headSeconds: String?
    @Option(help: .setting(ServeSetting.bodySeconds)) var bodySeconds: String?
    @Option(help: .setting(ServeSetting.minBodyRate)) var minBodyRate: String?
    @Option(help: .setting(ServeSetting.idleSeconds)) var idleSeconds: String?
    @Option(help: .setting(ServeSetting.sendSeconds)) var sendSeconds: String?
}

/// What is run at once.
struct QueueOptions: ParsableArguments {
    @Option(help: .setting(ServeSetting.concurrency)) var concurrency: String?
    @Option(help: .setting(ServeSetting.queueLimit)) var queueLimit: String?
    @Option(help: .setting(ServeSetting.principalConcurrency)) var principalConcurrency: String?
    @Option(help: .setting(ServeSetting.principalQueueLimit)) var principalQueueLimit: String?
    @Option(help: .setting(ServeSetting.principalRunsPerMinute)) var principalRunsPerMinute: String?
    @Option(help: .setting(ServeSetting.drainSeconds)) var drainSeconds: String?
}

/// What a run may ask for.
struct LimitOptions: ParsableArguments {
    @Option(help: .setting(ServeSetting.maxTimeoutSeconds)) var maxTimeoutSeconds: String?
    @Option(help: .setting(ServeSetting.maxCpuSeconds)) var maxCpuSeconds: String?
    @Option(help: .setting(ServeSetting.maxMemoryBytes)) var maxMemoryBytes: String?
    @Option(help: .setting(ServeSetting.maxProcesses)) var maxProcesses: String?
    @Option(help: .setting(ServeSetting.maxOutputBytes)) var maxOutputBytes: String?
    @Option(help: .setting(ServeSetting.maxDiskBytes)) var maxDiskBytes: String?
    @Option(help: .setting(ServeSetting.maxOpenFiles)) var maxOpenFiles: String?
    @Option(help: .setting(ServeSetting.maxArtifacts)) var maxArtifacts: String?
    @Option(help: .setting(ServeSetting.maxArtifactBytes)) var maxArtifactBytes: String?
    @Option(help: .setting(ServeSetting.maxArtifactsBytes)) var maxArtifactsBytes: String?
    @Option(help: .setting(ServeSetting.maxArtifactDepth)) var maxArtifactDepth: String?
    @Option(help: .setting(ServeSetting.maxWaitSeconds)) var maxWaitSeconds: String?
}

/// What is remembered.
struct StoreOptions: ParsableArguments {
    @Option(help: .setting(ServeSetting.dataDirectory)) var dataDirectory: String?
    @Option(help: .setting(ServeSetting.durability)) var durability: String?
    @Option(help: .setting(ServeSetting.keepRuns)) var keepRuns: String?
    @Option(help: .setting(ServeSetting.keepBytes)) var keepBytes: String?
    @Option(help: .setting(ServeSetting.keepFor)) var keepFor: String?
    @Option(help: .setting(ServeSetting.blobBytes)) var blobBytes: String?
    @Option(help: .setting(ServeSetting.keepBlobsFor)) var keepBlobsFor: String?
}

/// What commands see and what holds them.
struct SandboxOptions: ParsableArguments {
    @Option(help: .setting(SandboxSetting.expose)) var expose: [String] = []
    @Option(help: .setting(SandboxSetting.image)) var image: [String] = []
    @Flag(inversion: .prefixedNo, help: .setting(SandboxSetting.allowHostNetwork)) var allowHostNetwork: Bool?
    @Option(help: .setting(SandboxSetting.require)) var require: [String] = []
}

/// What is said of it.
struct LogOptions: ParsableArguments {
    @Option(help: .setting(LogSetting.logLevel)) var logLevel: String?
    @Option(help: .setting(LogSetting.logFormat)) var logFormat: String?
    @Flag(inversion: .prefixedNo, help: .setting(LogSetting.accessLog)) var accessLog: Bool?
    @Flag(inversion: .prefixedNo, help: .setting(LogSetting.passTraceparent)) var passTraceparent: Bool?
}
