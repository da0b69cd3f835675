internal import ArgumentParser
internal import Glibc
internal import Settings

/// The settings of the commands other than `serve`.
enum CommandSetting {
    /// The variable that holds a token.
    ///
    /// There is no flag for the token itself, because every user can read the arguments of a process.
    static let tokenVariable = "SANDGLASS_TOKEN"

    static let timeout = Setting.seconds(
        "timeout",
        atMost: 31_536_000,
        default: .seconds(10),
        help: "End the command after this many seconds; fractions are allowed."
    )
    static let json = Setting.toggle("json", help: "Print one JSON object instead of text.")
    /// The effect of `--json` in the commands that pass a command's output through.
    static let runJSON = json.description.withHelp(
        "Print the finished run as one JSON object, with up to 1 MiB of each stream, instead of its output."
    )
    static let server = Setting.text(
        "server",
        valueName: "url",
        default: "http://127.0.0.1:8080",
        help: "Use the server at this http:// or https:// URL."
    )
    static let tokenFile = Setting.text(
        "tokenFile",
        unset: "none",
        help: "Read the bearer token from this file; \(tokenVariable) can hold the token itself."
    )
    static let caFile = Setting.text(
        "caFile",
        unset: "the system's certificates",
        help: "Trust the PEM certificates in this file instead of the system's."
    )

    static let all = [
        timeout.description, json.description, server.description, tokenFile.description, caFile.description,
    ]
}

/// The option of the commands that print text or JSON.
struct JSONSettings: SettingGroup {
    static let title = ""

    let json = CommandSetting.json
}

/// The sources of this program's settings.
enum ProgramSettings {
    /// The variable that names the configuration file.
    static let configVariable = "SANDGLASS_CONFIG"

    /// Returns the sources of `serve`, which refuses unknown variables.
    ///
    /// - Parameters:
    ///   - flags: The values from the command line.
    ///   - path: The configuration file that the command line names, if any.
    /// - Returns: The sources.
    /// - Throws: If the file is invalid or a variable is unknown.
    static func server(flags: [String: [String]], file path: String?) throws(SettingError) -> SettingSources {
        let environment = environment()
        var file: SettingsFile?
        if let path = path ?? environment[configVariable].flatMap({ $0.isEmpty ? nil : $0 }) {
            file = try SettingsFile(path: path, known: ServeSetting.all)
        }
        let others = Set(CommandSetting.all.map(\.variable) + [configVariable, CommandSetting.tokenVariable])
        return try SettingSources(
            flags: flags,
            environment: environment,
            file: file,
            known: ServeSetting.all,
            isForeign: { others.contains($0) || isServiceLink($0) }
        )
    }

    /// Returns the sources of the other commands, which read no configuration file.
    static func command(flags: [String: [String]]) throws(SettingError) -> SettingSources {
        try SettingSources(
            flags: flags,
            environment: environment(),
            file: nil,
            known: ServeSetting.all + CommandSetting.all,
            isForeign: { _ in true }
        )
    }

    /// Reads settings, and reports an invalid one as a usage error of this program.
    static func read<Result>(_ body: () throws(SettingError) -> Result) throws -> Result {
        do throws(SettingError) {
            return try body()
        } catch {
            throw ValidationError(error.description)
        }
    }

    /// Returns whether Kubernetes sets this variable in every container if a service has the name "sandglass".
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

/// The command-line options of a group of settings.
///
/// swift-argument-parser finds the options of a type with a mirror and decodes them by name. This type supplies both
/// from the group's settings, so that no setting needs a property of its own. The values stay texts until
/// ``SettingSources`` parses them.
struct SettingOptions<Group: SettingGroup>: ParsableArguments, CustomReflectable {
    /// The values from the command line, by the name of the setting.
    private(set) var values: [String: [String]] = [:]

    init() {}

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: SettingName.self)
        for setting in Group.descriptions {
            let name = SettingName(stringValue: setting.name)
            switch setting.shape {
            case .text, .number, .quantity:
                values[setting.name] = try container.decode(Option<String?>.self, forKey: name).wrappedValue.map {
                    [$0]
                }
            case .list:
                let texts = try container.decode(Option<[String]>.self, forKey: name).wrappedValue
                values[setting.name] = texts.isEmpty ? nil : texts
            case .toggle:
                let isOn = try container.decode(Flag<Bool?>.self, forKey: name).wrappedValue
                values[setting.name] = isOn.map { [$0 ? "true" : "false"] }
            }
        }
    }

    var customMirror: Mirror {
        let options = Group.descriptions.map { setting -> (label: String?, value: Any) in
            let name = NameSpecification.customLong(String(setting.flag.dropFirst(2)))
            let help = ArgumentHelp.setting(setting)
            return switch setting.shape {
            case .text, .number, .quantity: (setting.name, Option<String?>(name: name, help: help))
            case .list: (setting.name, Option<[String]>(wrappedValue: [], name: name, help: help))
            case .toggle: (setting.name, Flag<Bool?>(name: name, inversion: .prefixedNo, help: help))
            }
        }
        return Mirror(self, children: options, displayStyle: .struct)
    }
}

/// The name of a setting as a coding key.
private struct SettingName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension ArgumentHelp {
    /// Returns the help of a setting, with its default and its environment variable.
    fileprivate static func setting(_ setting: SettingDescription) -> ArgumentHelp {
        let separator: String
        if case .list(let character) = setting.shape {
            separator = ", separated by \(character == ":" ? "colons" : "commas")"
        } else {
            separator = ""
        }
        return ArgumentHelp(
            "\(setting.help) (default: \(setting.defaultText); environment: \(setting.variable)\(separator))",
            valueName: setting.valueName
        )
    }
}
