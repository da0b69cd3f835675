internal import ArgumentParser
internal import Client
internal import Settings

/// `sandglass rerun`.
struct RerunCommand: ParsableCommand {
    struct OutputSettings: SettingGroup {
        static let title = ""

        let json = CommandSetting.runJSON
    }

    static let configuration = CommandConfiguration(
        commandName: "rerun",
        abstract: "Run the command of an earlier run again, with the same input and limits.",
        discussion: """
            The new run is this caller's own. It gets everything that the server stored of the earlier request: the \
            files, standard input, environment, limits and labels. Like submit, rerun passes the output through while \
            it is written, and downloads the artifacts at the end.

              sandglass rerun 01M82SD0SKBQ831DSGRR58G3G2

            Ctrl-C (SIGINT, SIGTERM, SIGHUP) cancels the run and waits for it to end; a second Ctrl-C exits immediately.

            Exit status: that of the command; 128+N if signal N ended it; 124 if it timed out; 125 if sandglass or the \
            server failed; 126 if the command was found but could not be executed; 127 if it was not found; 0 with \
            --detach. A message on standard error, or --json, shows the outcome unambiguously.
            """
    )

    @OptionGroup var client: ClientOptions

    @Option(help: ArgumentHelp("Save artifacts in this directory.", valueName: "directory"))
    var outputDirectory = "."

    @Flag(help: "Print the run's id and exit without waiting.") var detach = false

    @OptionGroup var output: SettingOptions<OutputSettings>

    @Argument(help: ArgumentHelp("The id of the earlier run.", valueName: "id")) var id: RunArgument

    func run() throws {
        let json = try ProgramSettings.read { () throws(SettingError) in
            try ProgramSettings.command(flags: output.values).value(CommandSetting.json)
        }
        let progress = ProgressLine()
        let client: APIClient
        do {
            client = try self.client.client(progress)
        } catch let error as ClientError {
            if case .invalidArgument(let text) = error { throw ValidationError(text) }
            Diagnostics.print("sandglass: \(error)")
            throw ExitCode(ExitStatus.sandglassFailed)
        }
        SubmitSession(
            source: .rerun(id.value),
            client: client,
            progress: progress,
            output: detach ? .id : json ? .json : .live,
            directory: outputDirectory
        ).run()
    }
}
