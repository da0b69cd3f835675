internal import ArgumentParser
internal import Service
internal import Store

/// What `serve` takes on and remembers.
struct StorageOptions: ParsableArguments {
    @Option(
        name: .customLong("queue-limit"),
        help: ArgumentHelp(
            """
            How many runs may wait for their turn; beyond that they are refused (503). \
            (default: 10000; environment: SANDGLASS_QUEUE_LIMIT)
            """,
            valueName: "number"
        )
    )
    var queueLimit: Int?

    @Option(
        help: ArgumentHelp(
            """
            What an accepted run (202) survives: the end of this server (normal), or that of the machine too (full), for \
            which the disk has to write before each answer. (default: normal; environment: SANDGLASS_DURABILITY)
            """,
            valueName: "normal|full"
        )
    )
    var durability: DurabilityName?

    @Option(
        name: .customLong("keep-runs"),
        help: ArgumentHelp(
            """
            How many finished runs are remembered; the oldest are forgotten first. \
            (default: 100000; environment: SANDGLASS_KEEP_RUNS)
            """,
            valueName: "number"
        )
    )
    var keepRuns: Int?

    @Option(
        name: .customLong("keep-bytes"),
        help: ArgumentHelp(
            """
            How many bytes finished runs may take together, their output included. \
            (default: 4294967296; environment: SANDGLASS_KEEP_BYTES)
            """,
            valueName: "bytes"
        )
    )
    var keepBytes: Int?

    @Option(
        name: .customLong("keep-for"),
        help: ArgumentHelp(
            "How long finished runs are remembered. (default: as long as there is room; environment: SANDGLASS_KEEP_FOR)",
            valueName: "seconds"
        )
    )
    var keepFor: Seconds?

    @Option(
        name: .customLong("drain-seconds"),
        help: ArgumentHelp(
            """
            How long what runs may go on when the server is told to stop. \
            (default: 0; environment: SANDGLASS_DRAIN_SECONDS)
            """,
            valueName: "seconds"
        )
    )
    var drainSeconds: Seconds?

    /// How much the service takes on.
    func limits(concurrency: Int) throws -> ServiceLimits {
        let queued = try Setting.value(queueLimit, "SANDGLASS_QUEUE_LIMIT") ?? 10_000
        guard (0...1_000_000).contains(queued) else {
            throw ValidationError("--queue-limit must be from 0 to 1000000, not \(queued).")
        }
        return ServiceLimits(concurrency: concurrency, queued: queued)
    }

    /// What an accepted run survives.
    func accepted() throws -> Durability { try Setting.value(durability, "SANDGLASS_DURABILITY")?.value ?? .normal }

    /// How long what runs may go on.
    func drain() throws -> Duration { try Setting.value(drainSeconds, "SANDGLASS_DRAIN_SECONDS")?.duration ?? .zero }

    /// How much is remembered.
    func retention() throws -> Retention {
        var retention = Retention()
        retention.runs = try Setting.value(keepRuns, "SANDGLASS_KEEP_RUNS") ?? retention.runs
        retention.bytes = try Setting.value(keepBytes, "SANDGLASS_KEEP_BYTES") ?? retention.bytes
        let seconds = try Setting.value(keepFor, "SANDGLASS_KEEP_FOR")
        retention.seconds = seconds.map { Int($0.duration.components.seconds) }
        guard retention.runs >= 1 else {
            throw ValidationError("--keep-runs must be at least 1, not \(retention.runs).")
        }
        guard retention.bytes >= 0 else { throw ValidationError("--keep-bytes must not be negative.") }
        return retention
    }
}
