internal import ArgumentParser
internal import Client

/// `sandglass cancel`.
struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "End runs on a server.",
        discussion: """
            A run that is over stays as it is.

              sandglass cancel 01M82SD0SKBQ831DSGRR58G3G2

            Exit status: 0 if the server took all of them; 1 if not; 64 for a wrong call.
            """
    )

    @OptionGroup var server: ServerOptions
    @Argument(help: ArgumentHelp("The runs' ids.", valueName: "id")) var runs: [RunArgument]

    func run() throws {
        let client = try server.client()
        try ClientCommand.run { () throws(ClientError) in
            // One that cannot be cancelled does not keep the others.
            var failure: ClientError?
            for run in runs {
                do throws(ClientError) {
                    try client.cancel(run.name)
                } catch {
                    guard case .refused = error else { throw error }
                    if let failure { client.say("\(failure)") }
                    failure = error
                }
            }
            if let failure { throw failure }
        }
    }
}
