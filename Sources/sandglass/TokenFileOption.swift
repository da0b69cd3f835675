internal import ArgumentParser
internal import Settings

/// Which file `sandglass token` works on.
struct TokenFileOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The file of principals. (environment: SANDGLASS_TOKENS)",
            valueName: ServeSetting.tokens.description.valueName
        )
    )
    var tokens: String?

    /// The file; what is wrong with naming it is a wrong call.
    func store() throws -> TokenFileStore {
        let path = try ProgramSettings.read { () throws(SettingError) -> String? in
            try ProgramSettings.command(flags: SettingFlags.values(self)).value(ServeSetting.tokens)
        }
        guard let path else {
            throw ValidationError("Say which file: --tokens FILE, the one that the server is given.")
        }
        return TokenFileStore(path: path)
    }
}
