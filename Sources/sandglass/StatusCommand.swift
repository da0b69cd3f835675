internal import ArgumentParser
internal import Client
internal import Glibc
internal import Settings

/// `sandglass status`.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say how a run on a server stands.",
        discussion: """
              sandglass status --wait 60 01M82SD0SKBQ831DSGRR58G3G2

            Exit status: 0 if the server told, however the run ended; 1 if it did not; 64 for a wrong call.
            """
    )

    @OptionGroup var server: ServerOptions

    @Option(help: ArgumentHelp("How long to wait for its end, if it is not over. (default: 0)", valueName: "seconds"))
    var wait = 0

    @Flag(inversion: .prefixedNo, help: .setting(RunSetting.json)) var json: Bool?
    @Argument(help: ArgumentHelp("The run's id.", valueName: "id")) var id: RunArgument

    func validate() throws {
        guard (0...31_536_000).contains(wait) else {
            throw ValidationError("--wait must be from 0 to 31536000 seconds.")
        }
    }

    func run() throws {
        let client = try server.client()
        let json = try ClientCommand.json(self)
        try ClientCommand.run { () throws(ClientError) in
            let run = try client.run(id.name, waitingFor: .seconds(wait))
            let text = json ? run.json : Array(RunText.lines(of: run).map { $0 + "\n" }.joined().utf8)
            try client.port(STDOUT_FILENO).write(text)
        }
    }
}
