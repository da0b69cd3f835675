internal import ArgumentParser
internal import CLinux
internal import Glibc

/// The program.
@main
struct Sandglass: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandglass",
        abstract: "Runs commands in a sandbox under a time limit and tells the truth about how they ended.",
        version: version,
        subcommands: [
            ServeCommand.self, RunCommand.self, DoctorCommand.self, TokenCommand.self, SubmitCommand.self,
            StatusCommand.self, LogsCommand.self, CancelCommand.self, ListCommand.self,
        ]
    )

    static let version = "0.1.0"

    static func main() {
        sandglass_fill_standard_streams()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            let name = CommandLine.arguments.dropFirst().first
            let runsCommand = [RunCommand.configuration, SubmitCommand.configuration].contains {
                $0.commandName == name
            }
            guard runsCommand, exitCode(for: error) != .success else { exit(withError: error) }
            // For these the usual status of a wrong call could be the command's own.
            Diagnostics.say(fullMessage(for: error))
            Glibc.exit(ExitStatus.sandglassFailed)
        }
    }
}
