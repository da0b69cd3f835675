/// What to run, and within which limits: a valid request, whoever it came from.
public struct RunSpecification: Sendable, Hashable {
    /// The command and its arguments (argv).
    ///
    /// No shell; a first element without a slash is looked up in `PATH`.
    public var command: [String]
    /// Variables beside and over the standard ones (``standardEnvironment``).
    public var environment: [String: String]
    /// Where the command starts, inside the sandbox.
    public var workingDirectory: String
    /// What the command can read from descriptor 0 before it sees the end.
    public var standardInput: Content
    /// Files that are in `/box` when it starts; no two have the same path, and none is a folder of another.
    public var files: [RunFile]
    /// What of `/box` is kept when the command has ended, whatever its outcome.
    public var artifacts: [Glob]
    /// What the run may use.
    public var limits: Limits
    /// The time between SIGTERM and SIGKILL at the deadline; zero: SIGKILL at once.
    public var grace: Duration
    /// What happens when a stream passes its limit.
    public var onOutputLimit: OutputLimitPolicy
    /// Which of the configured root file systems it sees.
    public var image: String
    /// Which network it sees.
    public var network: RunNetwork
    /// What whoever asked for it wants to find it by.
    public var labels: [String: String]
    /// The trace that the command is told to be part of; `nil`: none.
    ///
    /// It is no part of what makes two runs the same.
    public var trace: TraceContext?

    /// A run of a command with the defaults of the contract.
    ///
    /// - Parameters:
    ///   - command: argv, not empty.
    ///   - environment: variables beside the standard ones.
    ///   - workingDirectory: an absolute path inside the sandbox.
    ///   - standardInput: bytes for descriptor 0.
    ///   - files: what is in `/box` when it starts.
    ///   - artifacts: what of `/box` is kept when it has ended.
    ///   - limits: what it may use.
    ///   - grace: time between SIGTERM and SIGKILL.
    ///   - onOutputLimit: what happens when a stream passes its limit.
    ///   - image: the name of its root file system; `host`: programs of this host.
    ///   - network: the network that it sees.
    ///   - labels: what to find it by.
    public init(
        command: [String],
        environment: [String: String] = [:],
        workingDirectory: String = "/box",
        standardInput: Content = .empty,
        files: [RunFile] = [],
        artifacts: [Glob] = [],
        limits: Limits = Limits(),
        grace: Duration = .zero,
        onOutputLimit: OutputLimitPolicy = .truncate,
        image: String = "host",
        network: RunNetwork = .none,
        labels: [String: String] = [:]
    ) {
        self.command = command
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.standardInput = standardInput
        self.files = files
        self.artifacts = artifacts
        self.limits = limits
        self.grace = grace
        self.onOutputLimit = onOutputLimit
        self.image = image
        self.network = network
        self.labels = labels
    }

    /// The blobs that it is given, each once.
    public var blobs: [String] {
        var seen: Set<String> = []
        return ([standardInput] + files.map(\.content)).compactMap(\.blob).filter { seen.insert($0).inserted }
    }

    /// What every command finds in its environment.
    ///
    /// Nothing of the server's own is in it.
    public static let standardEnvironment = [
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/box",
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
    ]

    /// The variables of this run: those of its trace, with its own over them.
    public var ownEnvironment: [String: String] {
        guard let trace, environment["TRACEPARENT"] == nil else { return environment }
        return trace.environment.merging(environment) { _, own in own }
    }

    /// The whole environment of the command: the standard one, with this run's own variables over it.
    public var fullEnvironment: [String: String] {
        Self.standardEnvironment.merging(ownEnvironment) { _, own in own }
    }
}
