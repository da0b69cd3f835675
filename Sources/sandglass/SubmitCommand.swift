internal import ArgumentParser
internal import Client
internal import Glibc
internal import Runs
internal import Settings

/// `sandglass submit`.
struct SubmitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit",
        abstract: "Run one command on a server, as if it ran here.",
        usage:
            "sandglass submit [--server <url>] [--file <path[=content-path]>] [--artifact <glob>] [<options>] -- <command> ...",
        discussion: """
            Files are sent, unless the server has them. The command's output comes to standard output and error as it is \
            written, over a connection that is made anew when it breaks. Then the artifacts are fetched.

              sandglass submit --file src --artifact build/app -- sh -c 'mkdir build; gcc -o build/app src/*.c'

            Ctrl-C (SIGINT, SIGTERM, SIGHUP) cancels the run and waits for its end; once more leaves at once.

            Exit status: the command's own, 128+N if signal N ended it; 124 if it timed out; 125 if sandglass or the \
            server failed; 126 if the command was found but could not be run; 127 if it was not found; 0 with --detach. \
            Those of 124 and more can be the command's own: what is said on standard error, or --json, tells.
            """
    )

    @OptionGroup var server: ServerOptions

    @Option(
        help: ArgumentHelp(
            "A file or folder to be at this path below /box, with the content of another one if that is named. It may be "
                + "repeated. Symbolic links in a folder are refused, and empty folders left out.",
            valueName: "path[=content-path]"
        )
    )
    var file: [String] = []

    @Option(
        help: ArgumentHelp(
            "What the command can read from its standard input: a file, or - for this one's own, to its end. (default: "
                + "nothing)",
            valueName: "path"
        )
    )
    var stdin: String?

    @Option(
        help: ArgumentHelp(
            "Files below /box to fetch when the command has ended. It may be repeated.",
            valueName: "glob"
        )
    )
    var artifact: [String] = []

    @Option(help: ArgumentHelp("Where the artifacts go.", valueName: "folder")) var outputDirectory = "."

    @Option(help: .setting(RunSetting.timeout)) var timeout: String?

    @OptionGroup var limits: RunLimitOptions

    @Option(
        help: ArgumentHelp("A variable of the command's environment. It may be repeated.", valueName: "name=value"),
        transform: NamedValue.init
    )
    var env: [NamedValue] = []

    @Option(help: ArgumentHelp("Where the command starts. (default: /box)", valueName: "path")) var workingDirectory:
        String?

    @Option(help: ArgumentHelp("Which of the server's images it sees. (default: host)", valueName: "name")) var image:
        String?

    @Option(help: ArgumentHelp("The network that it sees: none or host. (default: none)", valueName: "network"))
    var network: String?

    @Option(
        help: ArgumentHelp("What to find the run by. It may be repeated.", valueName: "key=value"),
        transform: NamedValue.init
    )
    var label: [NamedValue] = []

    @Flag(help: "An earlier run will do, if it was the very same and exited.") var cache = false
    @Flag(help: "Print the run's id and leave.") var detach = false

    @Flag(
        inversion: .prefixedNo,
        help: """
            Print the run as a JSON object when it is over, with what it wrote (up to 1 MiB a stream), instead of \
            passing its output through. (environment: SANDGLASS_JSON)
            """
    )
    var json: Bool?

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("The command and its arguments.", valueName: "command")
    )
    var command: [String] = []

    func run() throws {
        let command = try CommandWords.read(command, of: self)
        let flags = SettingFlags.values(self)
        let (timeout, json) = try ProgramSettings.read { () throws(SettingError) in
            let sources = try ProgramSettings.command(flags: flags)
            return (try sources.value(RunSetting.timeout), try sources.value(RunSetting.json) ?? false)
        }
        let progress = ProgressLine()
        let client: APIClient
        let submission: Submission
        do {
            submission = try self.submission(command, timeout)
            client = try server.client(progress)
        } catch let error as ClientError {
            if case .wrongCall(let text) = error { throw ValidationError(text) }
            Diagnostics.say("sandglass: \(error)")
            throw ExitCode(ExitStatus.sandglassFailed)
        }
        SubmitSession(
            submission: submission,
            client: client,
            progress: progress,
            output: detach ? .id : json ? .json : .live,
            folder: outputDirectory
        ).run()
    }

    private func submission(_ command: [String], _ timeout: Duration?) throws(ClientError) -> Submission {
        var submission = Submission(command: command)
        submission.files = try file.map { text throws(ClientError) in try FileArgument(text) }
        submission.standardInput = stdin
        submission.artifacts = try artifact.map { text throws(ClientError) in
            do throws(Glob.Fault) { return try Glob(text) } catch {
                throw .wrongCall("--artifact '\(text)': \(error.detail).")
            }
        }
        submission.environment = env.map { ($0.name, $0.value) }
        submission.labels = label.map { ($0.name, $0.value) }
        submission.workingDirectory = workingDirectory
        submission.image = image
        submission.network = network
        submission.usesCache = cache
        submission.timeoutSeconds = timeout.map { $0 / .seconds(1) }
        submission.graceSeconds = limits.grace
        submission.cpuSeconds = limits.cpuSeconds
        submission.limits = limits.named
        return submission
    }
}
