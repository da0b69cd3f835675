internal import ArgumentParser
internal import Identity
internal import Settings

/// `sandglass token remove`.
struct TokenRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a principal with all its tokens. Its runs stay, for an admin to see."
    )

    @Argument(help: "Who it is.") var name: String

    @OptionGroup var file: TokenFileOption

    func run() throws {
        let store = try file.store()
        do throws(SettingError) {
            var tokens = try TokenSource.read(store.path)
            let count = tokens.entries.count
            tokens.entries.removeAll { $0.principal.name == name }
            guard tokens.entries.count < count else { throw SettingError("There is no \(name) in \(store.path).") }
            try store.write(tokens)
        } catch {
            Diagnostics.say("sandglass: \(error)")
            throw ExitCode.failure
        }
    }
}
