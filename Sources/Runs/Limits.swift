/// What a run may use, as it is in force.
public struct Limits: Sendable, Hashable {
    /// How long the command may run, by CLOCK_MONOTONIC from its exec.
    public var timeout: Duration
    /// How much processor time all its processes may use together; unless it is set, what ``usualProcessors`` give within the
    /// timeout, and at least a second: a deadline of milliseconds is for the wall clock alone to judge.
    public var cpu: Duration {
        get { ownCPU ?? max(min(timeout, Self.longest) * usualProcessors, .seconds(1)) }
        set { ownCPU = newValue }
    }
    /// How many processors a run that names no processor time may keep busy until its deadline.
    public var usualProcessors = 2
    /// How much memory all its processes may use together, what they write to their files included.
    public var memoryBytes: Int
    /// How many processes and threads there may be at once.
    public var processes: Int
    /// How many bytes of each output stream are kept.
    public var outputBytes: Int
    /// How many bytes the command may keep in `/box`, `/tmp` and `/dev/shm` together.
    public var diskBytes: Int
    /// How many descriptors a process may have open.
    public var openFiles: Int

    private var ownCPU: Duration?
    /// What is longer is no limit.
    private static let longest = Duration.seconds(1 << 31)

    /// The defaults of the contract.
    ///
    /// - Parameters:
    ///   - timeout: wall-clock limit.
    ///   - cpu: processor time; `nil`: what the usual processors give within the timeout, at least a second.
    ///   - memoryBytes: memory of the run.
    ///   - processes: processes and threads at once.
    ///   - outputBytes: bytes kept of each stream.
    ///   - diskBytes: bytes that it may write.
    ///   - openFiles: open descriptors in a process.
    public init(
        timeout: Duration = .seconds(10),
        cpu: Duration? = nil,
        memoryBytes: Int = 512 << 20,
        processes: Int = 64,
        outputBytes: Int = 1 << 20,
        diskBytes: Int = 256 << 20,
        openFiles: Int = 256
    ) {
        self.timeout = timeout
        self.memoryBytes = memoryBytes
        self.processes = processes
        self.outputBytes = outputBytes
        self.diskBytes = diskBytes
        self.openFiles = openFiles
        ownCPU = cpu
    }
}
