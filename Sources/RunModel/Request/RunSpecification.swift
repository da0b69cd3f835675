/// A valid request for a run: the command, its input and its limits.
package struct RunSpecification: Sendable, Hashable {
    /// The command and its arguments (argv).
    ///
    /// There is no shell. A first element without a slash is looked up in `PATH`.
    package var command: [String]
    /// The variables that are added to ``defaultEnvironment`` or replace variables of it.
    package var environment: [String: String]
    /// The directory in which the command starts, inside the sandbox.
    package var workingDirectory: String
    /// The bytes that the command can read from descriptor 0 before end-of-file.
    package var standardInput: Content
    /// The files in `/box` when the command starts.
    ///
    /// No two have the same path, and none is a parent directory of another.
    package var files: [RunFile]
    /// The names, sizes and digests of ``files``, which are recorded with the run.
    package var recordedFiles: [RecordedFile] = []
    /// The patterns of the files below `/box` that are kept when the command has ended, whatever its outcome.
    package var artifacts: [Glob]
    /// The limits of the run.
    package var limits: Limits
    /// The time between SIGTERM and SIGKILL at the deadline; zero sends SIGKILL at once.
    package var grace: Duration
    /// The reaction to a stream that exceeds its limit.
    package var onOutputLimit: OutputLimitPolicy
    /// The part of a stream that is kept if the stream exceeds its limit.
    package var keepOutput = KeepOutput.head
    /// A Boolean value that indicates whether standard error goes to the pipe of standard output, in exact order.
    package var mergesStandardError = false
    /// The name of the configured root file system; `host` shows the programs of this host.
    package var image: String
    /// The network that the command sees.
    package var network: RunNetwork
    /// The labels by which a client finds the run again.
    package var labels: [String: String]
    /// The trace that the command's environment names; `nil` for none.
    ///
    /// Two runs that differ only in their trace count as the same run.
    package var trace: TraceContext?

    /// Creates a specification with the defaults of the HTTP contract.
    ///
    /// - Parameters:
    ///   - command: argv, not empty.
    ///   - environment: variables that are added to the default environment.
    ///   - workingDirectory: an absolute path inside the sandbox.
    ///   - standardInput: the bytes for descriptor 0.
    ///   - files: the files in `/box` when the command starts.
    ///   - artifacts: the patterns of the files below `/box` to keep.
    ///   - limits: the limits of the run.
    ///   - grace: the time between SIGTERM and SIGKILL.
    ///   - onOutputLimit: the reaction to a stream that exceeds its limit.
    ///   - image: the name of the root file system.
    ///   - network: the network that the command sees.
    ///   - labels: the labels of the run.
    package init(
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

    /// The digests of all blobs that the run needs, each once.
    package var blobs: [String] {
        var seen: Set<String> = []
        return ([standardInput] + files.map(\.content)).compactMap(\.blob).filter { seen.insert($0).inserted }
    }

    /// The maximum length of one argument, and of one `NAME=VALUE` of the environment, in bytes.
    ///
    /// The kernel allows 32 pages of 4 KiB, including the final NUL (`MAX_ARG_STRLEN`; execve(2)).
    package static let longestString = 131_071

    /// The variables that every command gets.
    ///
    /// The command gets no variable of the server's own environment.
    package static let defaultEnvironment = [
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/box",
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
    ]

    /// The variables of this run: those of its trace, overridden by ``environment``.
    package var ownEnvironment: [String: String] {
        guard let trace, environment["TRACEPARENT"] == nil else { return environment }
        return trace.environment.merging(environment) { _, own in own }
    }

    /// The complete environment of the command: the default variables, overridden by those of this run.
    package var fullEnvironment: [String: String] {
        Self.defaultEnvironment.merging(ownEnvironment) { _, own in own }
    }
}

/// The reaction to a command that writes more than its limit to a stream.
package enum OutputLimitPolicy: String, Sendable, Hashable, CaseIterable {
    /// The command continues. Further bytes are read, counted and dropped.
    case truncate
    /// The run is ended with the outcome `output_limit`.
    case kill
}

/// The part of a stream that is kept if the command writes more than its limit.
package enum KeepOutput: String, Sendable, Hashable, CaseIterable {
    /// The first bytes.
    case head
    /// The last bytes.
    case tail
    /// Half of the limit from each end.
    case both

    /// Returns the offsets of the kept bytes of a stream, in two parts.
    ///
    /// - Parameters:
    ///   - total: the length of the stream in bytes.
    ///   - limit: the maximum number of kept bytes.
    /// - Returns: the number of bytes at the beginning, and the offsets of the bytes at the end. The second part is empty
    ///   if the first one contains every kept byte.
    package func kept(of total: Int, limit: Int) -> (head: Int, tail: Range<Int>) {
        guard total > limit, self != .head else { return (min(total, limit), 0..<0) }
        let head = headBytes(of: limit)
        return limit > head ? (head, total - (limit - head)..<total) : (head, 0..<0)
    }

    /// Returns the number of bytes that are kept at the beginning of a stream that exceeds a limit.
    package func headBytes(of limit: Int) -> Int {
        switch self {
        case .head: limit
        case .tail: 0
        case .both: limit - limit / 2
        }
    }
}

/// The network that a command sees.
package enum RunNetwork: String, Sendable, Hashable, CaseIterable {
    /// A network namespace of the run's own, without a connection to anything.
    case none
    /// The host's network.
    case host
}
