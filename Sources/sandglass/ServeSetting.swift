internal import API
internal import Runs
internal import Sandbox
internal import Service
internal import Settings
internal import Store

/// All that `sandglass serve` can be told: each is a flag, a variable of the environment, and a member of the file.
enum ServeSetting {
    /// The settings, in the order of the help.
    static let all: [SettingDescription] =
        front + http + queue + limits + store + SandboxSetting.all
        + LogSetting.all

    // MARK: Who may reach it

    static let front = [
        listen.description, tokens.description, tlsCertificate.description, tlsKey.description, allowHost.description,
        allowOrigin.description,
    ]

    static let listen = Setting(
        "listen",
        valueName: "address:port",
        standard: "127.0.0.1:8080",
        must: "an address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        help: "Where to listen; port 0 takes a free one. An address that other machines reach takes --tokens.",
        read: ListenAddress.init
    )
    static let tokens = path(
        "tokens",
        standard: "nobody is told apart",
        help:
            "Who may use the service: the file that `sandglass token` writes. It is read again when it changes, and at SIGHUP."
    )
    static let tlsCertificate = path(
        "tlsCertificate",
        standard: "plain HTTP",
        help: "Speak TLS, with the certificates of this PEM file: the server's own first, then those that signed it."
    )
    static let tlsKey = path("tlsKey", standard: "none", help: "The private key of --tls-certificate, a PEM file.")
    static let allowHost = Setting(
        "allowHost",
        .list(separator: ","),
        valueName: "name",
        standard: "loopback's names, and the address of --listen",
        must: "a host name or an address, without a port",
        help: "A name by which clients call this server; a request with another Host gets 421. It may be repeated.",
        read: hostName
    )
    static let allowOrigin = Setting(
        "allowOrigin",
        .list(separator: ","),
        valueName: "origin",
        standard: "none but the server's own",
        must: "an origin, such as https://app.example.com or http://localhost:3000",
        help: "Pages of this origin may use the service from a browser (CORS). It may be repeated.",
        read: origin
    )

    // MARK: HTTP

    static let http = [
        maxBodyBytes.description, maxBodyBytesInAll.description, maxHeaderBytes.description, maxHeaders.description,
        maxConnections.description, maxConnectionsPerAddress.description, headSeconds.description,
        bodySeconds.description, minBodyRate.description, idleSeconds.description, sendSeconds.description,
    ]

    static let maxBodyBytes = Setting.number(
        "maxBodyBytes",
        1024...(1 << 30),
        valueName: "bytes",
        standard: "33554432",
        help: "The largest body of a request; a larger one gets 413."
    )
    static let maxBodyBytesInAll = Setting.number(
        "maxBodyBytesInAll",
        1024...(1 << 40),
        valueName: "bytes",
        standard: "536870912",
        help: "The most bytes of all bodies together whose requests are not answered yet; whoever sends more gets 503."
    )
    static let maxHeaderBytes = Setting.number(
        "maxHeaderBytes",
        1024...(1 << 20),
        valueName: "bytes",
        standard: "16384",
        help: "The most bytes of a request's line and headers together; more get 431."
    )
    static let maxHeaders = Setting.number(
        "maxHeaders",
        1...10_000,
        standard: "100",
        help: "The most header fields of a request; more get 431."
    )
    static let maxConnections = Setting.number(
        "maxConnections",
        16...65536,
        standard: "4096, or what the limit of descriptors leaves",
        help: "How many connections there may be at once; one more gets 503."
    )
    static let maxConnectionsPerAddress = Setting.number(
        "maxConnectionsPerAddress",
        0...65536,
        standard: "256, and no limit of its own (0) on loopback",
        help: "How many of them may be one client address's, or one IPv6 network's of 64 bits; one more gets 429. "
            + "Behind a proxy all are the proxy's: 0 is no limit of its own."
    )
    static let headSeconds = Setting.seconds(
        "headSeconds",
        atMost: 86400,
        standard: "10",
        help: "How long a request's line and headers may take; then it gets 408."
    )
    static let bodySeconds = Setting.seconds(
        "bodySeconds",
        atMost: 86400,
        standard: "20",
        help:
            "How long a body may take, beside the time that --min-body-rate gives for what has come of it; then it gets 408."
    )
    static let minBodyRate = Setting.number(
        "minBodyRate",
        0...(1 << 30),
        valueName: "bytes per second",
        standard: "1024",
        help:
            "How fast a body has to come on average once --body-seconds are over; 0 makes them the time for the whole."
    )
    static let idleSeconds = Setting.seconds(
        "idleSeconds",
        atMost: 86400,
        standard: "60",
        help: "How long a connection may be idle between two requests before it is closed."
    )
    static let sendSeconds = Setting.seconds(
        "sendSeconds",
        atMost: 86400,
        standard: "30",
        help: "How long a client may take no byte of its answer before its connection is reset."
    )

    // MARK: What is run at once

    static let queue = [
        concurrency.description, queueLimit.description, principalConcurrency.description,
        principalQueueLimit.description, principalRunsPerMinute.description, drainSeconds.description,
    ]

    static let concurrency = Setting.number(
        "concurrency",
        1...Server.maximumConcurrency,
        standard: "the number of processors",
        help: "How many commands run at once; others wait in order."
    )
    static let queueLimit = Setting.number(
        "queueLimit",
        0...1_000_000,
        standard: "10000",
        help: "How many runs may wait for their turn; one more gets 503."
    )
    static let principalConcurrency = Setting.number(
        "principalConcurrency",
        1...Server.maximumConcurrency,
        standard: "as --concurrency",
        help:
            "How many commands of one principal run at once, unless --tokens says otherwise of it; others of its wait."
    )
    static let principalQueueLimit = Setting.number(
        "principalQueueLimit",
        0...1_000_000,
        standard: "as --queue-limit",
        help: "How many runs of one principal may wait, unless --tokens says otherwise of it; one more gets 429."
    )
    static let principalRunsPerMinute = Setting.number(
        "principalRunsPerMinute",
        1...60_000_000,
        standard: "any number",
        help:
            "How many runs one principal may ask for in a minute, unless --tokens says otherwise of it; one more gets 429."
    )
    static let drainSeconds = Setting.seconds(
        "drainSeconds",
        atMost: 31_536_000,
        mayBeZero: true,
        standard: "0",
        help: "How long what runs may go on when the server is told to stop."
    )

    // MARK: What a run may ask for

    static let limits = [
        maxTimeoutSeconds.description, maxCpuSeconds.description, maxMemoryBytes.description,
        maxProcesses.description, maxOutputBytes.description, maxDiskBytes.description, maxOpenFiles.description,
        maxArtifacts.description, maxArtifactBytes.description, maxArtifactsBytes.description,
        maxArtifactDepth.description, maxWaitSeconds.description,
    ]

    static let maxTimeoutSeconds = Setting.seconds(
        "maxTimeoutSeconds",
        atMost: 31_536_000,
        standard: "3600",
        help: "The largest timeoutSeconds that a run may ask for; more gets 422, as with all of these."
    )
    static let maxCpuSeconds = Setting.seconds(
        "maxCpuSeconds",
        atMost: 315_360_000,
        standard: "14400",
        help: "The largest limits.cpuSeconds."
    )
    static let maxMemoryBytes = Setting.number(
        "maxMemoryBytes",
        (1 << 20)...(1 << 50),
        valueName: "bytes",
        standard: "68719476736",
        help: "The largest limits.memoryBytes."
    )
    static let maxProcesses = Setting.number(
        "maxProcesses",
        1...4_194_304,
        standard: "8192",
        help: "The largest limits.processes."
    )
    static let maxOutputBytes = Setting.number(
        "maxOutputBytes",
        0...(1 << 40),
        valueName: "bytes",
        standard: "67108864",
        help: "The largest limits.outputBytes: what is kept of a stream."
    )
    static let maxDiskBytes = Setting.number(
        "maxDiskBytes",
        4096...(1 << 50),
        valueName: "bytes",
        standard: "68719476736",
        help: "The largest limits.diskBytes."
    )
    static let maxOpenFiles = Setting.number(
        "maxOpenFiles",
        3...1_048_576,
        standard: "65536",
        help: "The largest limits.openFiles."
    )
    static let maxArtifacts = Setting.number(
        "maxArtifacts",
        0...100_000,
        standard: "1000",
        help: "How many files are kept of a run that asks for it (artifacts); what is left out stands in the run."
    )
    static let maxArtifactBytes = Setting.number(
        "maxArtifactBytes",
        0...(1 << 40),
        valueName: "bytes",
        standard: "268435456",
        help: "The largest file that is kept of a run."
    )
    static let maxArtifactsBytes = Setting.number(
        "maxArtifactsBytes",
        0...(1 << 40),
        valueName: "bytes",
        standard: "1073741824",
        help: "How many bytes are kept of a run's files together."
    )
    static let maxArtifactDepth = Setting.number(
        "maxArtifactDepth",
        0...128,
        standard: "32",
        help: "In how many folders below /box a file may be that is kept of a run."
    )
    static let maxWaitSeconds = Setting.seconds(
        "maxWaitSeconds",
        atMost: 86400,
        mayBeZero: true,
        standard: "300",
        help: "How long a request may wait for a run at most; one that wants to wait longer waits so long."
    )

    // MARK: What is remembered

    static let store = [
        dataDirectory.description, durability.description, keepRuns.description, keepBytes.description,
        keepFor.description, blobBytes.description, keepBlobsFor.description,
    ]

    static let dataDirectory = path(
        "dataDirectory",
        standard: "a temporary directory, removed at the end",
        help:
            "Where runs and their output are remembered, over a restart too; it is made if need be, and one server at a time may use it."
    )
    static let durability = Setting<Durability>(
        "durability",
        valueName: "normal|full",
        standard: "normal",
        must: "normal or full",
        help:
            "What an accepted run (202) survives: the end of this server (normal), or that of the machine too (full), "
            + "for which the disk has to write before each answer.",
        read: { Durability(rawValue: $0) }
    )
    static let keepRuns = Setting.number(
        "keepRuns",
        1...Int.max,
        standard: "100000",
        help: "How many finished runs are remembered; the oldest are forgotten first."
    )
    static let keepBytes = Setting.number(
        "keepBytes",
        0...Int.max,
        valueName: "bytes",
        standard: "4294967296",
        help:
            "How many bytes finished runs may take together, with their output and what is kept of their files; --blob-bytes "
            + "is to be more, so that clients can send some."
    )
    static let keepFor = Setting.seconds(
        "keepFor",
        atMost: 31_536_000,
        standard: "as long as there is room",
        help: "How long finished runs are remembered."
    )
    static let blobBytes = Setting.number(
        "blobBytes",
        4096...(1 << 50),
        valueName: "bytes",
        standard: "8589934592",
        help: "What blobs may take together, each at least 4096 bytes, and so what one may have; more gets 507, or 413."
    )
    static let keepBlobsFor = Setting.seconds(
        "keepBlobsFor",
        atMost: 31_536_000,
        standard: "3600",
        help: "How long a blob that no run holds is kept after it was last used: uploaded, read or asked for."
    )

    // MARK: Values

    private static func path(_ name: String, standard: String, help: String) -> Setting<String> {
        let must = "a path"
        return Setting(name, valueName: "path", standard: standard, must: must, help: help) { $0.isEmpty ? nil : $0 }
    }

    private static func hostName(_ text: String) -> String? {
        let isLiteral = text.hasPrefix("[") && text.hasSuffix("]")
        let allowed = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            case UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"): isLiteral
            default: false
            }
        }
        return allowed && !text.isEmpty ? text : nil
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
