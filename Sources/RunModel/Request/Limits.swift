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
    /// The number of processors whose time all processes may use together at any moment; `nil` for no such limit.
    package var cpus: Double?
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
    ///   - cpus: the number of processors; `nil` for no limit.
    package init(
        timeout: Duration = .seconds(10),
        cpu: Duration? = nil,
        memoryBytes: Int = 512 << 20,
        processes: Int = 512,
        outputBytes: Int = 1 << 20,
        diskBytes: Int = 256 << 20,
        openFiles: Int = 256,
        stackBytes: Int? = nil,
        cpus: Double? = nil
    ) {
        self.timeout = timeout
        self.memoryBytes = memoryBytes
        self.processes = processes
        self.outputBytes = outputBytes
        self.diskBytes = diskBytes
        self.openFiles = openFiles
        explicitCPU = cpu
        explicitStackBytes = stackBytes
        self.cpus = cpus
    }
}

/// The description of one limit: a row of ``Limits/table``.
package struct LimitDescription: Sendable {
    /// The value of a limit: a duration or a number, with access to it.
    ///
    /// The value has closures and not key paths, because every accepted and every rendered run reads all limits.
    /// Reading seven of them took 0.17 µs with closures and 0.69 µs with key paths.
    package enum Value: Sendable {
        /// A number of seconds. A limit must be greater than zero.
        case seconds(
            get: @Sendable (Limits) -> Duration,
            set: @Sendable (inout Limits, Duration) -> Void
        )
        /// A whole number from `minimum`.
        case number(
            minimum: Int,
            get: @Sendable (Limits) -> Int,
            set: @Sendable (inout Limits, Int) -> Void
        )
        /// A number from `minimum` that may have a fraction; `nil` is no limit, and larger than every number.
        case decimal(
            minimum: Double,
            get: @Sendable (Limits) -> Double?,
            set: @Sendable (inout Limits, Double?) -> Void
        )
    }

    /// Returns whether the limit is larger in one set of limits than in another.
    package func isLarger(_ limits: Limits, than maxima: Limits) -> Bool {
        switch value {
        case .seconds(let get, _): get(limits) > get(maxima)
        case .number(_, let get, _): get(limits) > get(maxima)
        case .decimal(_, let get, _): (get(limits) ?? .infinity) > (get(maxima) ?? .infinity)
        }
    }

    /// The unit in which clients give the limit.
    package enum Unit: String, Sendable {
        case seconds
        case bytes
        case count
    }

    /// The member's name in JSON, such as `memoryBytes`.
    package let name: String
    /// The unit.
    package let unit: Unit
    /// Access to the value.
    package let value: Value
    /// A Boolean value indicating whether a request gives the limit beside its command and not in its `limits` object.
    package var isRunMember = false
    /// A Boolean value indicating whether the default follows from another limit, so that there is no fixed number for
    /// it.
    package var hasDerivedDefault = false
    /// The explanation for clients, in a few sentences.
    package let summary: String
    /// A sentence about the default, where it is not a number.
    package var defaultSummary: String?
}

extension Limits {
    /// All limits, in the order of the documents and of the store's records.
    ///
    /// The request decoder, the documents and the OpenAPI description are made from this table, and so are the first part of
    /// the store's records, with the first seven limits, and the digest of a run. Every later limit must be added to
    /// `laterMembers` of the record of a `RunSpecification`.
    package static let table: [LimitDescription] = [
        LimitDescription(
            name: "timeoutSeconds",
            unit: .seconds,
            value: .seconds(get: { $0.timeout }, set: { $0.timeout = $1 }),
            isRunMember: true,
            summary:
                "Wall-clock time in seconds from the command's exec. Queueing and set-up do not count. Fractions are allowed."
        ),
        LimitDescription(
            name: "cpuSeconds",
            unit: .seconds,
            value: .seconds(get: { $0.cpu }, set: { $0.cpu = $1 }),
            hasDerivedDefault: true,
            summary: "Processor time in seconds of all processes of the run together. Fractions are allowed.",
            defaultSummary: "The default is the time that two processors (or all of the server's, if it has more) give "
                + "within `timeoutSeconds`, and at least one second."
        ),
        LimitDescription(
            name: "memoryBytes",
            unit: .bytes,
            // The slot's own process has to fit too.
            value: .number(minimum: 1 << 20, get: { $0.memoryBytes }, set: { $0.memoryBytes = $1 }),
            summary:
                "Memory in bytes of all processes together, including the files that they write and the data in pipes."
        ),
        LimitDescription(
            name: "processes",
            unit: .count,
            value: .number(minimum: 1, get: { $0.processes }, set: { $0.processes = $1 }),
            summary: "Number of processes and threads at the same time. Starting another one fails with EAGAIN."
        ),
        LimitDescription(
            name: "outputBytes",
            unit: .bytes,
            value: .number(minimum: 0, get: { $0.outputBytes }, set: { $0.outputBytes = $1 }),
            summary: "Bytes that are kept of each output stream. Further bytes are read, counted and dropped."
        ),
        LimitDescription(
            name: "diskBytes",
            unit: .bytes,
            // A file system has at least one page.
            value: .number(minimum: 4096, get: { $0.diskBytes }, set: { $0.diskBytes = $1 }),
            summary:
                "Bytes that `/box`, `/tmp` and `/dev/shm` may contain together. Writing more fails with ENOSPC, and so does "
                + "creating the 131,072nd file. These files count as memory too."
        ),
        LimitDescription(
            name: "openFiles",
            unit: .count,
            // A command has three streams.
            value: .number(minimum: 3, get: { $0.openFiles }, set: { $0.openFiles = $1 }),
            summary: "Number of descriptors that one process may have open."
        ),
        LimitDescription(
            name: "stackBytes",
            unit: .bytes,
            // execve(2) needs this much for its arguments.
            value: .number(minimum: 128 << 10, get: { $0.stackBytes }, set: { $0.stackBytes = $1 }),
            hasDerivedDefault: true,
            summary: "Stack in bytes of each process (RLIMIT_STACK), at most `memoryBytes`. A quarter of it, and 6 MiB "
                + "at most, is the space for arguments and environment.",
            defaultSummary: "The default is 8388608, or `memoryBytes` if that is less."
        ),
        LimitDescription(
            name: "cpus",
            unit: .count,
            value: .decimal(minimum: 0.1, get: { $0.cpus }, set: { $0.cpus = $1 }),
            summary:
                "Processors whose time all processes may use together: 1.5 is 150 ms in each 100 ms. A command that "
                + "needs more is slowed down. Fractions and null, for no limit, are allowed."
        ),
    ]

    /// The limits that a request gives in its `limits` object: all but those with ``LimitDescription/isRunMember``.
    package static let memberTable = table.filter { !$0.isRunMember }

    /// The default maxima of a server: the largest value of each limit that a request may ask for.
    package static let defaultMaxima = Limits(
        timeout: .seconds(3600),
        // The maximum allows four processors for the longest timeout.
        cpu: .seconds(14400),
        memoryBytes: 64 << 30,
        processes: 8192,
        outputBytes: 64 << 20,
        diskBytes: 64 << 30,
        openFiles: 65536,
        stackBytes: 64 << 30
    )

    /// Lowers each limit that has a fixed default to its maximum.
    ///
    /// A derived default is lowered when it is known, that is, with the limit from which it follows.
    package mutating func lowerFixedLimits(to maxima: Limits) {
        for limit in Self.table where !limit.hasDerivedDefault {
            switch limit.value {
            case .seconds(let get, let set): set(&self, min(get(self), get(maxima)))
            case .number(_, let get, let set): set(&self, min(get(self), get(maxima)))
            case .decimal(_, let get, let set): if let most = get(maxima) { set(&self, min(get(self) ?? most, most)) }
            }
        }
    }
}
