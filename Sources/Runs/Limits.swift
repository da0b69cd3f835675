/// What a run may use, as it is in force.
public struct Limits: Sendable, Hashable {
    /// How long the command may run, by CLOCK_MONOTONIC from its exec.
    public var timeout: Duration
    /// How many bytes of each output stream are kept.
    public var outputBytes: Int
    /// How many processes and threads there may be at once.
    public var processes: Int
    /// How many bytes the command may keep in each of its writable file systems.
    public var diskBytes: Int
    /// How many descriptors a process may have open.
    public var openFiles: Int

    /// The defaults of the contract; `processes` is an upper bound against fork bombs.
    ///
    /// - Parameters:
    ///   - timeout: wall-clock limit.
    ///   - outputBytes: bytes kept of each stream.
    ///   - processes: processes and threads at once.
    ///   - diskBytes: bytes in each writable file system.
    ///   - openFiles: open descriptors in a process.
    public init(
        timeout: Duration = .seconds(10),
        outputBytes: Int = 1 << 20,
        processes: Int = 8192,
        diskBytes: Int = 256 << 20,
        openFiles: Int = 256
    ) {
        self.timeout = timeout
        self.outputBytes = outputBytes
        self.processes = processes
        self.diskBytes = diskBytes
        self.openFiles = openFiles
    }
}
