internal import ArgumentParser
internal import Settings

extension ArgumentHelp {
    /// What `--help` says of a setting.
    static func setting<Value>(_ setting: Setting<Value>) -> ArgumentHelp { .setting(setting.description) }

    /// What `--help` says of a setting.
    static func setting(_ setting: SettingDescription) -> ArgumentHelp {
        let separator: String
        if case .list(let character) = setting.shape {
            separator = ", with \(character == ":" ? "colons" : "commas") between them"
        } else {
            separator = ""
        }
        return ArgumentHelp(
            "\(setting.help) (default: \(setting.standard); environment: \(setting.variable)\(separator))",
            valueName: setting.valueName
        )
    }
}

/// What flags say, by setting's name: the name of a property that is an option is that of its setting.
enum SettingFlags {
    /// Collects what the command line said.
    static func values(_ groups: any ParsableArguments...) -> [String: [String]] {
        var values: [String: [String]] = [:]
        for group in groups {
            for child in Mirror(reflecting: group).children {
                guard let label = child.label, label.hasPrefix("_") else { continue }
                let name = String(label.dropFirst())
                switch child.value {
                case let option as Option<String?>: values[name] = option.wrappedValue.map { [$0] }
                case let option as Option<[String]>:
                    values[name] = option.wrappedValue.isEmpty ? nil : option.wrappedValue
                case let flag as Flag<Bool?>: values[name] = flag.wrappedValue.map { [$0 ? "true" : "false"] }
                default: break
                }
            }
        }
        return values
    }
}
