internal import ArgumentParser
internal import Client
internal import Glibc
internal import RunModel
internal import Settings

/// The options of the commands that talk to a server.
struct ClientOptions: ParsableArguments {
    struct Options: SettingGroup {
        static let title = ""

        let server = CommandSetting.server
        let tokenFile = CommandSetting.tokenFile
        let caFile = CommandSetting.caFile
    }

    /// The limit of a token file.
    ///
    /// A token has 74 characters.
    private static let maximumTokenBytes = 4096

    @OptionGroup var options: SettingOptions<Options>

    /// Creates a client of the server that the options name.
    ///
    /// - Parameter progress: A progress line to erase before messages.
    /// - Returns: The client.
    /// - Throws: A usage error if an option is invalid, and `noLibrary` if there is no libcurl.
    func client(_ progress: ProgressLine = ProgressLine()) throws -> APIClient {
        let (address, token, caFile) = try ProgramSettings.read { () throws(SettingError) in
            let sources = try ProgramSettings.command(flags: options.values)
            let address = try sources.value(CommandSetting.server)
            return (address, try self.token(sources), try sources.value(CommandSetting.caFile))
        }
        if let caFile, access(caFile, R_OK) != 0 {
            throw ValidationError("The --ca-file \(caFile) cannot be read. Check its path and permissions.")
        }
        do throws(ClientError) {
            return try APIClient(
                try ServerAddress(address),
                token: token,
                caFile: caFile,
                agent: "sandglass/\(SandglassCommand.version)",
                signals: try SignalSource([SIGHUP, SIGINT, SIGTERM]),
                log: { line in
                    progress.erase()
                    Diagnostics.print("sandglass: \(line)")
                }
            )
        } catch {
            if case .invalidArgument(let text) = error { throw ValidationError(text) }
            throw error
        }
    }

    /// Returns the token: that of the flag `--token-file`, else that in the environment.
    private func token(_ sources: SettingSources) throws(SettingError) -> String? {
        let hasFlag = options.values[CommandSetting.tokenFile.description.name] != nil
        var text = hasFlag ? nil : getenv(CommandSetting.tokenVariable).map { String(cString: $0) }
        var source = CommandSetting.tokenVariable
        if text?.isEmpty ?? true {
            guard let path = try sources.value(CommandSetting.tokenFile) else { return nil }
            source = path
            do throws(SettingError) {
                let bytes = try ConfigurationFile.contents(of: path, atMost: Self.maximumTokenBytes)
                text = String(decoding: bytes, as: UTF8.self)
            } catch {
                throw SettingError("The token file \(path) cannot be used: \(error)")
            }
        }
        while let last = text?.last, last.isWhitespace { text?.removeLast() }
        guard let text, !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw SettingError("There is no token in \(source). A token is one line of ASCII without spaces.")
        }
        return text
    }
}

/// The way a command that talks to a server exits.
enum ClientCommand {
    /// The status of a failed request.
    static let failed: Int32 = 1
    /// The status of a filter whose reader is gone.
    static let outputClosed = 128 + SIGPIPE

    /// Returns whether a command prints JSON, according to its flag or the environment.
    static func printsJSON(_ flags: [String: [String]]) throws -> Bool {
        try ProgramSettings.read { () throws(SettingError) in
            try ProgramSettings.command(flags: flags).value(CommandSetting.json)
        }
    }

    /// Calls a closure with each run; a refused request does not keep the other runs from their turn.
    ///
    /// - Throws: The last error, after printing the ones before.
    static func forEach(
        _ runs: [RunArgument],
        _ body: (RunID) throws(ClientError) -> Void
    ) throws(ClientError) {
        var failure: ClientError?
        for run in runs {
            do throws(ClientError) {
                try body(run.value)
            } catch {
                guard error.concernsOneRequest else { throw error }
                if let failure { Diagnostics.print("sandglass: \(failure)") }
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Runs a command, and exits with its status.
    ///
    /// - Throws: A usage error if an argument is invalid.
    static func run(_ body: () throws(ClientError) -> Void) throws -> Never {
        do throws(ClientError) {
            try body()
            exit(0)
        } catch {
            switch error {
            case .invalidArgument(let text): throw ValidationError(text)
            case .stopped(let signal): exit(128 + signal)
            case .outputClosed: exit(outputClosed)
            default:
                Diagnostics.print("sandglass: \(error)")
                exit(failed)
            }
        }
    }
}
