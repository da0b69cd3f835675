internal import RunModel

extension Runner {
    /// A command with its input, its files and its limits.
    public struct Command: Sendable, Hashable {
        /// The program and its arguments.
        ///
        /// There is no shell.
        public var arguments: [String]
        /// Variables beside `PATH`, `HOME=/box`, `TMPDIR=/tmp` and `LANG=C.UTF-8`.
        ///
        /// The caller's environment is not passed on.
        public var environment: [String: String] = [:]
        /// An absolute path inside the sandbox.
        public var workingDirectory = "/box"
        /// The bytes that the command can read from descriptor 0.
        public var standardInput: [UInt8] = []
        /// The contents of files by their paths below `/box`.
        public var files: [String: [UInt8]] = [:]
        /// The paths in ``files`` that may be executed.
        public var executables: Set<String> = []
        /// The wall-clock limit, counted from the command's exec.
        public var timeout: Duration = .seconds(10)
        /// The time between SIGTERM at the deadline and SIGKILL; zero sends SIGKILL at once.
        public var gracePeriod: Duration = .zero
        /// True if the command is killed when a stream exceeds ``Limits/outputBytes``.
        ///
        /// By default the rest is counted and dropped.
        public var endsAtOutputLimit = false
        /// True if standard error goes to standard output, in exact order; ``Result/standardError`` is then empty.
        public var mergesStandardError = false
        /// The limits beside the timeout.
        public var limits = Limits()

        /// Creates a command with the default limits.
        public init(_ arguments: [String]) {
            self.arguments = arguments
        }
    }

    /// The resources that a command and all its processes may use.
    public struct Limits: Sendable, Hashable {
        /// The processor time of all processes together; `nil` allows two processors until the deadline.
        public var cpu: Duration?
        /// The memory in bytes of all processes together, including files in memory: 512 MiB by default.
        public var memoryBytes: Int
        /// The maximum number of concurrent processes and threads.
        public var processes: Int
        /// The number of bytes that are kept of each output stream.
        public var outputBytes: Int
        /// The maximum number of bytes in `/box`, `/tmp` and `/dev/shm` together.
        public var diskBytes: Int
        /// The maximum number of open descriptors of each process.
        public var openFiles: Int
        /// The stack of each process in bytes: 8 MiB by default, and at most ``memoryBytes``.
        public var stackBytes: Int
        /// The number of processors that all processes may use at once; `nil` for no limit.
        ///
        /// Without a control group for it the limit has no effect.
        public var cpus: Double?

        /// Creates the default limits.
        public init() {
            let limits = RunModel.Limits()
            memoryBytes = limits.memoryBytes
            processes = limits.processes
            outputBytes = limits.outputBytes
            diskBytes = limits.diskBytes
            openFiles = limits.openFiles
            stackBytes = limits.stackBytes
        }
    }
}

extension Runner.Command {
    var specification: RunSpecification {
        var specification = RunSpecification(
            command: arguments,
            environment: environment,
            workingDirectory: workingDirectory,
            standardInput: .bytes(standardInput),
            files: files.sorted { $0.key < $1.key }.map { path, bytes in
                RunFile(path: path, content: .bytes(bytes), isExecutable: executables.contains(path))
            },
            limits: Limits(
                timeout: timeout,
                cpu: limits.cpu,
                memoryBytes: limits.memoryBytes,
                processes: limits.processes,
                outputBytes: limits.outputBytes,
                diskBytes: limits.diskBytes,
                openFiles: limits.openFiles,
                stackBytes: min(limits.stackBytes, limits.memoryBytes),
                cpus: limits.cpus
            ),
            grace: gracePeriod,
            onOutputLimit: endsAtOutputLimit ? .kill : .truncate
        )
        specification.mergesStandardError = mergesStandardError
        return specification
    }
}
