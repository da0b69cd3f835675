internal import ArgumentParser
internal import Client
internal import Glibc
internal import Settings

/// Which server a command talks to.
struct ServerOptions: ParsableArguments {
    /// A token has 74 characters.
    private static let mostTokenBytes = 4096

    @Option(help: .setting(ClientSetting.server)) var server: String?
    @Option(help: .setting(ClientSetting.tokenFile)) var tokenFile: String?
    @Option(help: .setting(ClientSetting.caFile)) var caFile: String?

    /// The client.
    ///
    /// - Parameter progress: what it takes away before it says something.
    /// - Returns: one for the server that the options name.
    /// - Throws: what is wrong with the options, which is a wrong call, and that there is no libcurl.
    func client(_ progress: ProgressLine = ProgressLine()) throws -> APIClient {
        let (flags, standard) = (SettingFlags.values(self), ClientSetting.server.description.standard)
        var (address, token, caFile): (String, String?, String?) = (standard, nil, nil)
        try ProgramSettings.read { () throws(SettingError) in
            let sources = try ProgramSettings.command(flags: flags)
            address = try sources.value(ClientSetting.server) ?? standard
            token = try self.token(sources)
            caFile = try sources.value(ClientSetting.caFile)
        }
        if let caFile, access(caFile, R_OK) != 0 { throw ValidationError("--ca-file \(caFile) cannot be read.") }
        do throws(ClientError) {
            return try APIClient(
                try ServerAddress(address),
                token: token,
                caFile: caFile,
                agent: "sandglass/\(Sandglass.version)",
                stops: try StopRequests([SIGHUP, SIGINT, SIGTERM]),
                say: { line in
                    progress.erase()
                    Diagnostics.say("sandglass: \(line)")
                }
            )
        } catch {
            if case .wrongCall(let text) = error { throw ValidationError(text) }
            throw error
        }
    }

    private func token(_ sources: SettingSources) throws(SettingError) -> String? {
        var text = tokenFile == nil ? getenv(ClientSetting.tokenVariable).map { String(cString: $0) } : nil
        var source = ClientSetting.tokenVariable
        if text?.isEmpty ?? true {
            guard let path = try sources.value(ClientSetting.tokenFile) else { return nil }
            source = path
            do throws(SettingError) {
                let bytes = try OperatorFile.contents(of: path, atMost: Self.mostTokenBytes)
                text = String(decoding: bytes, as: UTF8.self)
            } catch {
                throw SettingError("The token in \(path) cannot be used: \(error)")
            }
        }
        while let last = text?.last, last.isWhitespace { text?.removeLast() }
        guard let text, !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw SettingError("There is no token in \(source): it is one line of ASCII without spaces.")
        }
        return text
    }
}
