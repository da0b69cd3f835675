internal import ArgumentParser
internal import Glibc
internal import Settings

/// The sources of settings of this program.
enum ProgramSettings {
    private static let all = ServeSetting.all + RunSetting.all + ClientSetting.all

    /// Those of `serve`, which refuses variables that mean nothing.
    ///
    /// - Parameters:
    ///   - flags: what the command line said.
    ///   - path: the configuration file, if the command line names one.
    /// - Returns: where each setting is looked up.
    /// - Throws: what is wrong with the file, or which variables mean nothing.
    static func server(flags: [String: [String]], file path: String?) throws(SettingError) -> SettingSources {
        let environment = environment()
        var file: SettingsFile?
        if let path = path ?? environment[configVariable].flatMap({ $0.isEmpty ? nil : $0 }) {
            file = try SettingsFile(path: path, known: ServeSetting.all)
        }
        let elsewhere = RunSetting.all + ClientSetting.all
        let others = Set(elsewhere.map(\.variable) + [configVariable, ClientSetting.tokenVariable])
        return try SettingSources(
            flags: flags,
            environment: environment,
            file: file,
            known: ServeSetting.all,
            foreign: { others.contains($0) || isServiceLink($0) }
        )
    }

    /// Those of the commands that run without a server; they read no file.
    static func command(flags: [String: [String]]) throws(SettingError) -> SettingSources {
        try SettingSources(flags: flags, environment: environment(), file: nil, known: all, foreign: { _ in true })
    }

    /// Does something with settings; what is wrong with them is a wrong call of this program.
    static func read<Result>(_ body: () throws(SettingError) -> Result) throws -> Result {
        do throws(SettingError) {
            return try body()
        } catch {
            throw ValidationError(error.description)
        }
    }

    /// Names the configuration file.
    static let configVariable = "SANDGLASS_CONFIG"

    /// Whether Kubernetes puts this into the environment of every container where a service is called "sandglass".
    private static func isServiceLink(_ name: String) -> Bool {
        name == "SANDGLASS_PORT" || name.hasPrefix("SANDGLASS_PORT_") || name.hasPrefix("SANDGLASS_SERVICE_")
    }

    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }
}
