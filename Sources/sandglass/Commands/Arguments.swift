internal import ArgumentParser
internal import RunModel
internal import System

/// The command after the options of a subcommand, and the two dashes before it.
enum PassthroughArguments {
    /// Removes the dashes.
    ///
    /// - Parameters:
    ///   - arguments: The captured arguments.
    ///   - subcommand: The subcommand that captured them.
    /// - Returns: The program and its arguments; the program is not empty.
    /// - Throws: A request for help, or a usage error if an option is unknown or the command is missing.
    static func read(_ arguments: [String], of subcommand: some ParsableCommand) throws -> [String] {
        // An option before the dashes is meant for sandglass itself.
        if let option = arguments.first, option.hasPrefix("-"), option != "--" {
            if option == "--help" || option == "-h" { throw CleanExit.helpRequest(subcommand) }
            throw ValidationError("Unknown option '\(option)'\(suggestion(for: option, of: subcommand))")
        }
        let command = arguments.first == "--" ? Array(arguments.dropFirst()) : arguments
        guard let program = command.first, !program.isEmpty else {
            let name = type(of: subcommand).configuration.commandName ?? ""
            throw ValidationError("Missing command. Put it after two dashes: sandglass \(name) -- echo hello")
        }
        return command
    }

    /// Returns a question for the option of a subcommand that is most similar to an unknown one.
    private static func suggestion<Command: ParsableCommand>(for option: String, of subcommand: Command) -> String {
        let words = Command.helpMessage().split { $0.isWhitespace || "[]()<>=,;:'`.".contains($0) }
        let options = Set(words.filter { $0.hasPrefix("--") && $0.count > 2 }.map(String.init))
        let name = String(option.prefix { $0 != "=" })
        guard let nearest = Spelling.nearest(to: name, in: options.sorted()) else { return ". See --help." }
        return ". Did you mean '\(nearest)'?"
    }
}

/// An argument of the form `KEY=VALUE`.
struct KeyValueArgument {
    let name: String
    let value: String

    init(_ text: String) throws {
        // Search the bytes: in a Swift string, an equals sign with a combining accent is another character.
        guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")), equals != text.startIndex else {
            throw ValidationError("'\(text)' must be a name, an equals sign and a value, such as KEY=VALUE.")
        }
        name = String(text[..<equals])
        value = String(text[text.utf8.index(after: equals)...])
    }
}

/// The id of a run as an argument.
struct RunArgument: ExpressibleByArgument {
    let value: RunID

    init?(argument: String) {
        guard let id = RunID(argument) else { return nil }
        value = id
    }
}
