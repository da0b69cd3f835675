internal import ArgumentParser
internal import CLinux
internal import Glibc
internal import System

/// The program.
@main
struct SandglassCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandglass",
        abstract: "Run commands in a sandbox under a time limit, and report truthfully how they ended.",
        version: version,
        subcommands: [
            ServeCommand.self, RunCommand.self, DoctorCommand.self, TokenCommand.self, SubmitCommand.self,
            RerunCommand.self, StatusCommand.self, LogsCommand.self, FetchCommand.self, CancelCommand.self,
            RemoveCommand.self,
            ListCommand.self,
        ]
    )

    static let version = "0.1.0"

    static func main() {
        sandglass_fill_standard_streams()
        do {
            var command = try parseAsRoot()
            do {
                try command.run()
            } catch let error as ValidationError {
                let name = Self.name(of: type(of: command))
                Diagnostics.print("Error: \(error.message)\n  See '\(name) --help' for more information.")
                Glibc.exit(Self.exitStatus(of: error))
            }
        } catch {
            guard exitCode(for: error) != .success else { exit(withError: error) }
            let message = unknownSubcommand ?? fullMessage(for: error)
            if !message.isEmpty { Diagnostics.print(message) }
            Glibc.exit(Self.exitStatus(of: error))
        }
    }

    /// The message about a first argument that is no subcommand, with the most similar one; `nil` if it is one.
    private static var unknownSubcommand: String? {
        let names = configuration.subcommands.compactMap { $0.configuration.commandName }
        guard let name = CommandLine.arguments.dropFirst().first, !name.hasPrefix("-"), name != "help",
            !names.contains(name)
        else { return nil }
        let nearest = Spelling.nearest(to: name, in: names)
        let advice = nearest.map { "Did you mean '\($0)'?" } ?? "Subcommands: \(names.joined(separator: ", "))."
        return "Error: Unknown subcommand '\(name)'. \(advice)\n  See 'sandglass --help' for more information."
    }

    /// Returns the name of a subcommand with the names of its parents.
    private static func name(of command: any ParsableCommand.Type) -> String {
        let isToken = TokenCommand.configuration.subcommands.contains { $0 == command }
        return (isToken ? "sandglass token " : "sandglass ") + (command.configuration.commandName ?? "")
    }

    /// Returns the exit status for an error.
    ///
    /// For `run` and `submit` every error has the status 125, because the usual status of a usage error (64) could be
    /// the command's own.
    private static func exitStatus(of error: any Error) -> Int32 {
        let name = CommandLine.arguments.dropFirst().first
        let runsCommand = [RunCommand.configuration, SubmitCommand.configuration].contains { $0.commandName == name }
        return runsCommand ? ExitStatus.sandglassFailed : exitCode(for: error).rawValue
    }
}
