/// A command as a slot takes it: no defaults left, nothing to decide.
public struct SlotCommand: Sendable, Hashable {
    /// argv, not empty.
    public let arguments: [String]
    /// Its whole environment.
    public let environment: [String: String]
    /// An absolute path inside the sandbox.
    public let workingDirectory: String
    /// RLIMIT_NOFILE.
    public let openFiles: Int
    /// Processes and threads at once.
    public let processes: Int
    /// Memory of the run.
    public let memoryBytes: Int
    /// Processor time of the run.
    public let cpu: Duration
    /// The size of its writable file system: that of the slot it is given to.
    public let diskBytes: Int
    /// What is in `/box` when it starts; folders above a file are made with it.
    public let files: [SlotFile]
    /// Whether what is in `/box` when it has ended can be had then (``Slot/takeLeftFiles()``).
    public let keepsFiles: Bool

    /// A command.
    ///
    /// No string in it may hold a NUL byte.
    public init(
        arguments: [String],
        environment: [String: String],
        workingDirectory: String,
        openFiles: Int,
        processes: Int,
        memoryBytes: Int,
        cpu: Duration,
        diskBytes: Int,
        files: [SlotFile] = [],
        keepsFiles: Bool = false
    ) {
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.openFiles = openFiles
        self.processes = processes
        self.memoryBytes = memoryBytes
        self.cpu = cpu
        self.diskBytes = diskBytes
        self.files = files
        self.keepsFiles = keepsFiles
    }
}
