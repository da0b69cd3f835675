internal import ArgumentParser

/// The command that stands behind the options of a subcommand, and the two dashes between them.
enum CommandWords {
    /// Takes the dashes off.
    ///
    /// - Parameters:
    ///   - words: what was captured.
    ///   - subcommand: whose they are.
    /// - Returns: argv; its first element is not empty.
    /// - Throws: that help is asked for, that an option is not known, or that there is no command.
    static func read(_ words: [String], of subcommand: some ParsableCommand) throws -> [String] {
        // What stands before the dashes is for sandglass itself.
        if let option = words.first, option.hasPrefix("-"), option != "--" {
            if option == "--help" || option == "-h" { throw CleanExit.helpRequest(subcommand) }
            throw ValidationError("Unknown option '\(option)'")
        }
        let command = words.first == "--" ? Array(words.dropFirst()) : words
        guard let program = command.first, !program.isEmpty else {
            let name = type(of: subcommand).configuration.commandName ?? ""
            throw ValidationError("There is no command. Put it behind two dashes: sandglass \(name) -- echo hello")
        }
        return command
    }
}
