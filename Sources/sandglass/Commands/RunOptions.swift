internal import ArgumentParser
internal import Client
internal import Glibc
internal import RunModel
internal import Settings

/// The options that describe a run, for `run` and `submit`.
struct RunOptions: ParsableArguments {
    struct TimeSettings: SettingGroup {
        static let title = ""

        let timeout = CommandSetting.timeout
    }

    @Option(
        help: ArgumentHelp(
            "Place a file or directory at this path below /box, optionally with the content of another path. "
                + "A directory is sent with its symbolic links and empty directories. Repeatable.",
            valueName: "path[=content-path]"
        )
    )
    var file: [String] = []

    @Option(
        help: ArgumentHelp(
            "Leave out what matches this pattern of .gitignore files inside directories of --file. Repeatable.",
            valueName: "pattern"
        )
    )
    var exclude: [String] = []

    @Option(
        help: ArgumentHelp(
            "Use this file as the command's standard input; - is this program's own, also if it is a terminal. "
                + "(default: this program's own)",
            valueName: "path"
        )
    )
    var stdin: String?

    @Flag(help: "Give the command an empty standard input.") var noStdin = false

    @Flag(help: "Send standard error to standard output, in the exact order of writing.") var mergeStderr = false

    @Option(
        help: ArgumentHelp(
            "Keep this part of a stream that exceeds --output-bytes: head, tail, or both for half from each end. `run` "
                + "without --json can only keep the head. (default: both)",
            valueName: "part"
        ),
        transform: Self.keepOutput
    )
    var keepOutput: KeepOutput?

    @Option(
        help: ArgumentHelp(
            "Save the files below /box that match this pattern when the command has ended. Repeatable.",
            valueName: "glob"
        )
    )
    var artifact: [String] = []

    @Option(help: ArgumentHelp("Save artifacts in this directory.", valueName: "directory"))
    var outputDirectory = "."

    @OptionGroup var time: SettingOptions<TimeSettings>

    @OptionGroup var limits: RunLimitOptions

    @Option(
        help: ArgumentHelp("Set an environment variable of the command. Repeatable.", valueName: "name=value"),
        transform: KeyValueArgument.init
    )
    var env: [KeyValueArgument] = []

    @Option(help: ArgumentHelp("Start the command in this directory. (default: /box)", valueName: "path"))
    var workingDirectory: String?

    @Option(
        help: ArgumentHelp(
            "Use this root file system, read-only: the name of an image. `run` also takes any directory by NAME=PATH. "
                + "(default: host)",
            valueName: "name[=path]"
        )
    )
    var image: String?

    @Option(
        help: ArgumentHelp(
            "Use this network: none, or host (that of the machine with all services on its loopback). (default: none)",
            valueName: "network"
        ),
        transform: Self.network
    )
    var network: RunNetwork?

    @Option(
        help: ArgumentHelp("Attach a label to the run. Repeatable.", valueName: "key=value"),
        transform: KeyValueArgument.init
    )
    var label: [KeyValueArgument] = []

    func validate() throws {
        if noStdin, stdin != nil { throw ValidationError("Use either --stdin or --no-stdin.") }
    }

    /// Returns the time limit; `nil` if none is set, so that the default counts.
    func timeout() throws(SettingError) -> Duration? {
        let sources = try ProgramSettings.command(flags: time.values)
        let isSet = sources.isSet(CommandSetting.timeout.description)
        return isSet ? try sources.value(CommandSetting.timeout) : nil
    }

    /// Returns the time limit, and converts the error of an invalid one.
    func timeout<Failure: Error>(orThrow convert: (String) -> Failure) throws(Failure) -> Duration? {
        do throws(SettingError) { return try timeout() } catch { throw convert(error.description) }
    }

    /// Returns the request that these options describe, without this program's own standard input.
    func request(_ command: [String], _ timeout: Duration?) throws(ClientError) -> SubmitRequest {
        var request = SubmitRequest(command: command)
        request.files = try file.map { text throws(ClientError) in try FileArgument(text) }
        request.excluded = try exclude.map { text throws(ClientError) in try ExcludePattern(text) }
        request.standardInput = stdin
        request.mergesStandardError = mergeStderr
        request.keepOutput = keepOutput ?? .both
        request.artifacts = try Glob.artifacts(artifact)
        request.environment = env.map { ($0.name, $0.value) }
        request.labels = label.map { ($0.name, $0.value) }
        request.workingDirectory = workingDirectory
        request.image = image
        request.network = network?.rawValue
        request.timeoutSeconds = timeout.map { $0 / .seconds(1) }
        request.graceSeconds = limits.grace.map { $0.duration / .seconds(1) }
        request.cpuSeconds = limits.cpuSeconds.map { $0.duration / .seconds(1) }
        request.cpus = limits.cpus
        request.limits = limits.named
        return request
    }

    private static func keepOutput(_ name: String) throws -> KeepOutput {
        if let part = KeepOutput(rawValue: name) { return part }
        throw ValidationError("It must be \(KeepOutput.allCases.map(\.rawValue).joined(separator: " or ")).")
    }

    private static func network(_ name: String) throws -> RunNetwork {
        if let network = RunNetwork(rawValue: name) { return network }
        throw ValidationError("It must be \(RunNetwork.allCases.map(\.rawValue).joined(separator: " or ")).")
    }
}

/// The standard input of this program.
enum StandardInput {
    /// True if standard input may have content for a command: a pipe, a socket, a file or a device, but no terminal.
    static var hasContent: Bool {
        var status = stat()
        return fstat(STDIN_FILENO, &status) == 0 && isatty(STDIN_FILENO) == 0
    }
}

/// A duration as an option, such as `90`, `250ms` or `1.5h`.
struct DurationArgument: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        guard let duration = Quantity.duration(argument) else { return nil }
        self.duration = duration
    }
}

/// A size as an option, such as `65536`, `64K` or `1G`.
struct SizeArgument: ExpressibleByArgument {
    let bytes: Int

    init?(argument: String) {
        guard let bytes = Quantity.bytes(argument) else { return nil }
        self.bytes = bytes
    }
}

/// The limits of a run.
///
/// The server refuses values above its own maxima.
struct RunLimitOptions: ParsableArguments {
    private static let defaults = Limits()

    @Option(
        help: ArgumentHelp(
            "Wait this long between SIGTERM and SIGKILL at the deadline: seconds, or a time such as 500ms or 1m. "
                + "(default: 0)",
            valueName: "seconds"
        )
    )
    var grace: DurationArgument?

    @Option(
        help: ArgumentHelp(
            "Limit the CPU time of all processes together: seconds, or a time such as 500ms or 1m. "
                + "(default: the timeout times the processors of the machine, at least two, and at least 1)",
            valueName: "seconds"
        )
    )
    var cpuSeconds: DurationArgument?

    @Option(
        help: ArgumentHelp(
            "Limit the processors whose time all processes may use together; fractions are allowed. (default: no limit)",
            valueName: "number"
        )
    )
    var cpus: Double?

    @Option(
        help: ArgumentHelp(
            "Limit the memory of all processes together: bytes, or a size such as 512M. "
                + "(default: \(defaults.memoryBytes))",
            valueName: "bytes"
        )
    )
    var memoryBytes: SizeArgument?

    @Option(
        help: ArgumentHelp(
            "Limit the number of concurrent processes and threads. (default: \(defaults.processes))",
            valueName: "number"
        )
    )
    var processes: Int?

    @Option(
        help: ArgumentHelp(
            "Keep at most this much of each stream: bytes, or a size such as 64K. `run` passes on all output by default. "
                + "(default: \(defaults.outputBytes))",
            valueName: "bytes"
        )
    )
    var outputBytes: SizeArgument?

    @Option(
        help: ArgumentHelp(
            "Limit the files of the run together: bytes, or a size such as 1G. (default: \(defaults.diskBytes))",
            valueName: "bytes"
        )
    )
    var diskBytes: SizeArgument?

    @Option(
        help: ArgumentHelp(
            "Limit the open descriptors of each process. (default: \(defaults.openFiles))",
            valueName: "number"
        )
    )
    var openFiles: Int?

    @Option(
        help: ArgumentHelp(
            "Limit the stack of each process: bytes, or a size such as 64M. (default: \(Limits.defaultStackBytes))",
            valueName: "bytes"
        )
    )
    var stackBytes: SizeArgument?

    /// The limits that are whole numbers, by their names in the API.
    var named: [(name: String, value: Int)] {
        let all = [
            ("memoryBytes", memoryBytes?.bytes), ("processes", processes), ("outputBytes", outputBytes?.bytes),
            ("diskBytes", diskBytes?.bytes), ("openFiles", openFiles), ("stackBytes", stackBytes?.bytes),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }
}
