/// The limits of a run.
///
/// ``table`` describes each limit once. To add a limit, add a property and an initializer parameter here and a row
/// there.
package struct Limits: Sendable, Hashable {
    /// The wall-clock limit, by CLOCK_MONOTONIC from the command's exec.
    package var timeout: Duration
    /// The processor time that all processes may use together.
    ///
    /// Its default is ``timeout`` times ``defaultProcessors``, and at least one second. Because of that minimum, only
    /// the wall clock limits a run with a timeout of milliseconds.
    package var cpu: Duration {
        get { explicitCPU ?? max(min(timeout, Self.longest) * defaultProcessors, .seconds(1)) }
        set { explicitCPU = newValue }
    }
    /// The number of processors that a run without an explicit `cpu` may keep busy until its deadline.
    package var defaultProcessors = 2
    /// The memory in bytes of all processes together, including files in the sandbox's tmpfs mounts.
    package var memoryBytes: Int
    /// The number of processes and threads that may exist at the same time.
    package var processes: Int
    /// The number of bytes that are kept of each output stream.
    package var outputBytes: Int
    /// The number of bytes that `/box`, `/tmp` and `/dev/shm` may hold together.
    package var diskBytes: Int
    /// The number of descriptors that one process may have open.
    package var openFiles: Int
    /// The stack of each process's first thread in bytes, and the default of its other threads (RLIMIT_STACK).
    ///
    /// Its default is ``defaultStackBytes``, and it is at most ``memoryBytes``.
    package var stackBytes: Int {
        get { explicitStackBytes ?? min(Self.defaultStackBytes, memoryBytes) }
        set { explicitStackBytes = newValue }
    }
    /// The stack of a run that requests none, as on most hosts.
    package static let defaultStackBytes = 8 << 20

    private var explicitCPU: Duration?
    private var explicitStackBytes: Int?
    /// A longer timeout is no limit in practice, and its product with the processors might overflow.
    private static let longest = Duration.seconds(1 << 31)

    /// Creates limits with the defaults of the HTTP contract.
    ///
    /// - Parameters:
    ///   - timeout: the wall-clock limit.
    ///   - cpu: the processor time; `nil` derives it from the timeout (see ``cpu``).
    ///   - memoryBytes: the memory of the run in bytes.
    ///   - processes: the number of processes and threads.
    ///   - outputBytes: the kept bytes of each stream.
    ///   - diskBytes: the bytes in the run's writable directories.
    ///   - openFiles: the open descriptors of one process.
    ///   - stackBytes: the stack of one thread in bytes; `nil` for the default (see ``stackBytes``).
    package init(
        timeout: Duration = .seconds(10),
        cpu: Duration? = nil,
        memoryBytes: Int = 512 << 20,
        processes: Int = 512,
        outputBytes: Int = 1 << 20,
        diskBytes: Int = 256 << 20,
        openFiles: Int = 256,
        stackBytes: Int? = nil
    ) {
        self.timeout = timeout
        self.memoryBytes = memoryBytes
        self.processes = processes
        self.outputBytes = outputBytes
        self.diskBytes = diskBytes
        self.openFiles = openFiles
        explicitCPU = cpu
        explicitStackBytes = stackBytes
    }
}
