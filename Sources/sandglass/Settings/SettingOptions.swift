internal import ArgumentParser
internal import Settings

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
            case .text, .number:
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
            case .text, .number: (setting.name, Option<String?>(name: name, help: help))
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
