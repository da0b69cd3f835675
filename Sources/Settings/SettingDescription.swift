/// The names, help text and default of a setting, without the type of its value.
///
/// All names of a setting derive from one: `dataDirectory` in a configuration file is `--data-directory` on the command
/// line and `SANDGLASS_DATA_DIRECTORY` in the environment.
package struct SettingDescription: Sendable, Hashable {
    /// The form of a value in a configuration file.
    package enum Shape: Sendable, Hashable {
        /// A string.
        case text
        /// A number.
        case number
        /// A number, or a string with a number and its unit.
        case quantity
        /// `true` or `false`; in the environment also `1` or `0`.
        case toggle
        /// An array of strings; in the environment one text with this character between the elements.
        case list(separator: Character)
    }

    /// The name in a configuration file, in camelCase.
    package let name: String
    /// The form of a value.
    package let shape: Shape
    /// The placeholder for the value in a usage line, such as `bytes`.
    package let valueName: String
    /// The effect of the setting: an imperative phrase with its unit.
    package var help: String
    /// The default as text, such as `33554432 (32 MiB)` or `the number of processors`.
    package var defaultText: String
    /// The constraint on a value: the end of the sentence "It must be …".
    package let constraint: String

    /// The flag on the command line, such as `--data-directory`.
    package var flag: String { "--" + words(separator: "-").lowercased() }
    /// The environment variable, such as `SANDGLASS_DATA_DIRECTORY`.
    package var variable: String { "SANDGLASS_" + words(separator: "_").uppercased() }

    /// Returns the description with another help text, for a command in which the setting has a special effect.
    package func withHelp(_ help: String, defaultText: String? = nil) -> SettingDescription {
        var other = self
        other.help = help
        other.defaultText = defaultText ?? self.defaultText
        return other
    }

    private func words(separator: Character) -> String {
        var words = ""
        for character in name {
            if character.isUppercase { words.append(separator) }
            words.append(character)
        }
        return words
    }
}

/// A setting whose type of value does not matter.
package protocol DescribedSetting {
    /// The names, help text and default of the setting.
    var description: SettingDescription { get }
}

extension SettingDescription: DescribedSetting {
    package var description: SettingDescription { self }
}

/// A type whose stored properties are settings.
///
/// The flags, the help, the members of the configuration file and the table of the documentation all derive from the
/// properties. Declaring a property is therefore enough to add a setting.
package protocol SettingGroup: Sendable {
    /// The heading of the group in the help.
    static var title: String { get }

    /// Creates the group with its settings.
    init()
}

extension SettingGroup {
    /// The descriptions of all settings of the group, in the order of their declarations.
    package static var descriptions: [SettingDescription] {
        Mirror(reflecting: Self()).children.map { child in
            guard let setting = child.value as? any DescribedSetting else {
                preconditionFailure("\(Self.self).\(child.label ?? "") is not a setting")
            }
            return setting.description
        }
    }
}
