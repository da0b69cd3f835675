internal import ArgumentParser
internal import Client
internal import Glibc
internal import Runs

/// `sandglass logs`.
struct LogsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print what a run on a server has written.",
        discussion: """
            Its standard output comes to standard output and its standard error to standard error, in the order in which \
            it wrote them.

              sandglass logs --follow 01M82SD0SKBQ831DSGRR58G3G2

            Exit status: 0 if all could be printed, however the run ended; 1 if not; 64 for a wrong call.
            """
    )

    @OptionGroup var server: ServerOptions
    @Flag(help: "Go on until the run is over.") var follow = false

    @Option(help: ArgumentHelp("Only this one: stdout or stderr.", valueName: "stream"), transform: Self.stream)
    var stream: OutputStream?

    @Argument(help: ArgumentHelp("The run's id.", valueName: "id")) var id: RunArgument

    func run() throws {
        let client = try server.client()
        try ClientCommand.run { () throws(ClientError) in
            let ports = [
                OutputStream.standardOutput: client.port(STDOUT_FILENO), .standardError: client.port(STDERR_FILENO),
            ]
            var follower = RunFollower(client, id.name)
            let print: (OutputStream, [UInt8]) throws(ClientError) -> Void = { part, bytes throws(ClientError) in
                guard stream ?? part == part else { return }
                try ports[part]?.write(bytes)
            }
            if follow { _ = try follower.follow(print) } else { try follower.catchUp(print) }
        }
    }

    private static func stream(_ name: String) throws -> OutputStream {
        if let stream = OutputStream(rawValue: name) { return stream }
        throw ValidationError("It must be \(OutputStream.allCases.map(\.rawValue).joined(separator: " or ")).")
    }
}
