internal import ArgumentParser
internal import Client
internal import Glibc
internal import RunModel
internal import Settings

/// `sandglass submit`.
struct SubmitCommand: ParsableCommand {
    struct TimeSettings: SettingGroup {
        static let title = ""

        let timeout = CommandSetting.timeout
    }

    struct OutputSettings: SettingGroup {
        static let title = ""

        let json = CommandSetting.runJSON
    }

    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Run one command on a server as if it ran here.",
        usage: """
            sandglass submit [--server <url>] [--file <path[=content-path]>] [--artifact <glob>] [<options>] \
            -- <command> ...
            """,
        discussion: """
            Submit uploads files that the server does not have yet, passes the command's output through while it is \
            written, and downloads the artifacts at the end. It reconnects after a lost connection.

              sandglass submit --file main.c --artifact app -- gcc -o app main.c

            Ctrl-C (SIGINT, SIGTERM, SIGHUP) cancels the run and waits for it to end; a second Ctrl-C exits immediately.

            Exit status: that of the command; 128+N if signal N ended it; 124 if it timed out; 125 if sandglass or the \
            server failed; 126 if the command was found but could not be executed; 127 if it was not found; 0 with \
            --detach. The command's own status can have the same value. A message on standard error, or --json, \
            shows the outcome unambiguously.
            """
    )

    @OptionGroup var client: ClientOptions

    @Option(
        help: ArgumentHelp(
            "Upload a file or directory to this path below /box, optionally with the content of another path. "
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
            "Upload this file as the command's standard input; - reads this program's own to its end. "
                + "(default: empty)",
            valueName: "path"
        )
    )
    var stdin: String?

    @Option(
        help: ArgumentHelp(
            "Download the files below /box that match this pattern when the command has ended. Repeatable.",
            valueName: "glob"
        )
    )
    var artifact: [String] = []

    @Option(help: ArgumentHelp("Download artifacts to this directory.", valueName: "directory")) var outputDirectory =
        "."

    @OptionGroup var time: SettingOptions<TimeSettings>

    @OptionGroup var limits: RunLimitOptions

    @Option(
        help: ArgumentHelp("Set an environment variable of the command. Repeatable.", valueName: "name=value"),
        transform: KeyValueArgument.init
    )
    var env: [KeyValueArgument] = []

    @Option(help: ArgumentHelp("Start the command in this directory. (default: /box)", valueName: "path"))
    var workingDirectory: String?

    @Option(help: ArgumentHelp("Use this image of the server. (default: host)", valueName: "name"))
    var image: String?

    @Option(help: ArgumentHelp("Use this network: none or host. (default: none)", valueName: "network"))
    var network: String?

    @Option(
        help: ArgumentHelp("Attach a label to the run. Repeatable.", valueName: "key=value"),
        transform: KeyValueArgument.init
    )
    var label: [KeyValueArgument] = []

    @Flag(help: "Accept the result of an earlier identical run that exited.") var cache = false
    @Flag(help: "Print the run's id and exit without waiting.") var detach = false

    @OptionGroup var output: SettingOptions<OutputSettings>

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("The command and its arguments.", valueName: "command")
    )
    var command: [String] = []

    func run() throws {
        let command = try PassthroughArguments.read(command, of: self)
        let flags = time.values.merging(output.values) { first, _ in first }
        let (timeout, json) = try ProgramSettings.read { () throws(SettingError) in
            let sources = try ProgramSettings.command(flags: flags)
            let timeout = CommandSetting.timeout
            // Without a value the server's default counts.
            let isSet = sources.isSet(timeout.description)
            return (isSet ? try sources.value(timeout) : nil, try sources.value(CommandSetting.json))
        }
        let progress = ProgressLine()
        let client: APIClient
        let request: SubmitRequest
        do {
            request = try self.request(command, timeout)
            client = try self.client.client(progress)
        } catch let error as ClientError {
            if case .invalidArgument(let text) = error { throw ValidationError(text) }
            Diagnostics.print("sandglass: \(error)")
            throw ExitCode(ExitStatus.sandglassFailed)
        }
        SubmitSession(
            request: request,
            client: client,
            progress: progress,
            output: detach ? .id : json ? .json : .live,
            directory: outputDirectory
        ).run()
    }

    private func request(_ command: [String], _ timeout: Duration?) throws(ClientError) -> SubmitRequest {
        var request = SubmitRequest(command: command)
        request.files = try file.map { text throws(ClientError) in try FileArgument(text) }
        request.excluded = try exclude.map { text throws(ClientError) in try ExcludePattern(text) }
        request.standardInput = stdin
        request.artifacts = try Glob.artifacts(artifact)
        request.environment = env.map { ($0.name, $0.value) }
        request.labels = label.map { ($0.name, $0.value) }
        request.workingDirectory = workingDirectory
        request.image = image
        request.network = network
        request.usesCache = cache
        request.timeoutSeconds = timeout.map { $0 / .seconds(1) }
        request.graceSeconds = limits.grace
        request.cpuSeconds = limits.cpuSeconds
        request.limits = limits.named
        return request
    }
}

/// The limits of a run.
///
/// The server refuses values above its own maxima.
struct RunLimitOptions: ParsableArguments {
    private static let defaults = Limits()

    @Option(
        help: ArgumentHelp(
            "Wait this many seconds between SIGTERM and SIGKILL at the deadline. (default: 0)",
            valueName: "seconds"
        )
    )
    var grace: Double?

    @Option(
        help: ArgumentHelp(
            "Limit the CPU time of all processes together, in seconds. "
                + "(default: the timeout times the processors of the server, at least two, and at least 1)",
            valueName: "seconds"
        )
    )
    var cpuSeconds: Double?

    @Option(
        help: ArgumentHelp(
            "Limit the memory of all processes together, in bytes. (default: \(defaults.memoryBytes))",
            valueName: "bytes"
        )
    )
    var memoryBytes: Int?

    @Option(
        help: ArgumentHelp(
            "Limit the number of concurrent processes and threads. (default: \(defaults.processes))",
            valueName: "number"
        )
    )
    var processes: Int?

    @Option(
        help: ArgumentHelp(
            "Store at most this many bytes of each stream. (default: \(defaults.outputBytes))",
            valueName: "bytes"
        )
    )
    var outputBytes: Int?

    @Option(
        help: ArgumentHelp(
            "Limit the files of the run together, in bytes. (default: \(defaults.diskBytes))",
            valueName: "bytes"
        )
    )
    var diskBytes: Int?

    @Option(
        help: ArgumentHelp(
            "Limit the open descriptors of each process. (default: \(defaults.openFiles))",
            valueName: "number"
        )
    )
    var openFiles: Int?

    @Option(
        help: ArgumentHelp(
            "Limit the stack of each process, in bytes. (default: \(Limits.defaultStackBytes))",
            valueName: "bytes"
        )
    )
    var stackBytes: Int?

    func validate() throws {
        // JSON has no infinity and no NaN.
        for (option, seconds) in [("--grace", grace), ("--cpu-seconds", cpuSeconds)] where !(seconds ?? 0).isFinite {
            throw ValidationError("\(option) must be a finite number of seconds.")
        }
    }

    /// The limits that are whole numbers, by their names in the API.
    var named: [(name: String, value: Int)] {
        let all = [
            ("memoryBytes", memoryBytes), ("processes", processes), ("outputBytes", outputBytes),
            ("diskBytes", diskBytes), ("openFiles", openFiles), ("stackBytes", stackBytes),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }
}
