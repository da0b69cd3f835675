internal import ArgumentParser
internal import Client
internal import Settings

/// `sandglass submit`.
struct SubmitCommand: ParsableCommand {
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
            The command gets this program's standard input, if that is a pipe or a file, when it has ended: the server \
            needs its digest first. A terminal is not read. Use --no-stdin where a script reads its own input, or \
            where the input never ends.

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

    @OptionGroup var options: RunOptions

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
        let (timeout, json) = try ProgramSettings.read { () throws(SettingError) in
            let json = try ProgramSettings.command(flags: output.values).value(CommandSetting.json)
            return (try options.timeout(), json)
        }
        let progress = ProgressLine()
        let client: APIClient
        let request: SubmitRequest
        do {
            var described = try options.request(command, timeout)
            // A terminal is for the user, and a command must not wait for what the user types after an upload.
            if options.stdin == nil, !options.noStdin, StandardInput.hasContent { described.standardInput = "-" }
            described.usesCache = cache
            request = described
            client = try self.client.client(progress)
        } catch let error as ClientError {
            if case .invalidArgument(let text) = error { throw ValidationError(text) }
            Diagnostics.print("sandglass: \(error)")
            throw ExitCode(ExitStatus.sandglassFailed)
        }
        SubmitSession(
            source: .request(request),
            client: client,
            progress: progress,
            output: detach ? .id : json ? .json : .live,
            directory: options.outputDirectory
        ).run()
    }
}
